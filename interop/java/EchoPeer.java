import java.io.*;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.*;
import java.util.stream.*;
import org.apache.catalina.tribes.*;
import org.apache.catalina.tribes.Channel;
import org.apache.catalina.tribes.group.*;
import org.apache.catalina.tribes.group.interceptors.*;
import org.apache.catalina.tribes.membership.*;
import org.apache.catalina.tribes.tipis.*;
import org.apache.catalina.tribes.transport.*;
import org.apache.catalina.tribes.transport.nio.*;

/** A real Tribes node under remote control: flags, line commands on stdin, JSON events on stdout. See README.md. */
public class EchoPeer implements MembershipListener, ChannelListener, RpcCallback {
    /** The number of the command that this thread works for; its events carry it as "re". */
    static final ThreadLocal<String> COMMAND = new ThreadLocal<>();
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), false);

    static synchronized void event(Object... kv) {
        StringBuilder b = new StringBuilder("{\"t\":").append(System.currentTimeMillis());
        if (COMMAND.get() != null) b.append(",\"re\":").append(COMMAND.get());
        for (int i = 0; i < kv.length; i += 2) b.append(",\"").append(kv[i]).append("\":").append(json(kv[i + 1]));
        OUT.println(b.append('}'));
        OUT.flush();
    }
    /** Runs r as part of a command that another thread was given. */
    static void as(String command, Runnable r) {
        String mine = COMMAND.get();
        COMMAND.set(command);
        try { r.run(); } finally { COMMAND.set(mine); }
    }
    static void ok(String cmd) { event("event", "ok", "cmd", cmd); }
    static String json(Object o) {
        if (o == null || o instanceof Number || o instanceof Boolean) return String.valueOf(o);
        if (o instanceof byte[] bytes) return '"' + hex(bytes) + '"';
        if (o instanceof List<?> list) return list.stream().map(EchoPeer::json).collect(Collectors.joining(",", "[", "]"));
        StringBuilder b = new StringBuilder("\"");
        for (char c : o.toString().toCharArray()) {
            if (c == '"' || c == '\\') b.append('\\').append(c);
            else if (c < 32 || c > 126) b.append(String.format("\\u%04x", (int) c));
            else b.append(c);
        }
        return b.append('"').toString();
    }
    static String hex(byte[] b) { return HexFormat.of().formatHex(b); }
    static byte[] unhex(String s) { return s.equals("-") ? new byte[0] : HexFormat.of().parseHex(s); }
    static MessageDigest sha256() {
        try { return MessageDigest.getInstance("SHA-256"); } catch (java.security.NoSuchAlgorithmException e) { throw new AssertionError(e); }
    }
    static String addr(Member m) {
        try { return InetAddress.getByAddress(m.getHost()).getHostAddress() + ":" + m.getPort(); } catch (IOException e) { return hex(m.getHost()) + ":" + m.getPort(); }
    }
    static List<String> addrs(Member[] v) { return Stream.of(v).map(EchoPeer::addr).toList(); }
    static void member(String ev, Member m) {
        event("event", ev, "member", addr(m), "id", m.getUniqueId(), "alive", m.getMemberAliveTime(), "udpPort", m.getUdpPort(), "securePort", m.getSecurePort(),
            "domain", m.getDomain(), "payload", m.getPayload(), "command", m.getCommand(), "class", m.getClass().getSimpleName());
    }
    static Object show(Serializable s) { return s instanceof ByteMessage b ? b.getMessage() : String.valueOf(s); }
    static List<String> faulty(ChannelException x) {
        return Stream.of(x.getFaultyMembers()).map(f -> addr(f.getMember()) + " " + f.getCause()).toList();
    }

    /** Top of the stack: knows the unique id and options of what is being delivered on this thread. */
    static class Tap extends ChannelInterceptorBase {
        final ThreadLocal<ChannelMessage> current = new ThreadLocal<>();
        @Override public void messageReceived(ChannelMessage m) { current.set(m); try { super.messageReceived(m); } finally { current.remove(); } }
    }

    /** Counts the failed attempts of the send on this thread. Tribes tells them to nobody but its own log, at a level that is usually off. */
    static class Attempts extends Handler {
        static final Logger LOGGER = Logger.getLogger(ParallelNioSender.class.getName()); // a field, for loggers are held weakly
        final ThreadLocal<Integer> failed = ThreadLocal.withInitial(() -> 0);
        Attempts() { setLevel(Level.ALL); LOGGER.setLevel(Level.FINER); LOGGER.addHandler(this); }
        int take() { int n = failed.get(); failed.remove(); return n; }
        @Override public void publish(LogRecord r) { if (r.getMessage().startsWith("Error while processing send")) failed.set(failed.get() + 1); }
        @Override public void flush() { }
        @Override public void close() { }
    }

    /** The deterministic messages of bulk tests: bulk.go is the twin and holds the description. */
    record Series(long seed, int max) {
        static final int EMPTY_EVERY = 50, LARGE_EVERY = 100, HUGE_EVERY = 1000, SMALL = 16 << 10, LARGE = 1 << 20, HUGE = 5 << 20;
        static Series of(String seed, String profile) { return new Series(Long.parseUnsignedLong(seed), profile.equals("mix") ? -1 : Integer.parseInt(profile)); }
        static long next(long x) { x ^= x << 13; x ^= x >>> 7; return x ^ x << 17; }
        byte[] message(int i) {
            long x = seed * 0x9E3779B97F4A7C15L + (i + 1) * 0xBF58476D1CE4E5B9L;
            x = next(x == 0 ? 1 : x);
            int n = length(i, x >>> 1);
            ByteBuffer b = ByteBuffer.allocate(n + 7 & ~7);
            while (b.hasRemaining()) b.putLong(x = next(x));
            return Arrays.copyOf(b.array(), n);
        }
        private int length(int i, long r) {
            if (i % EMPTY_EVERY == 0) return 0;
            if (max >= 0) return (int) (r % (max + 1L));
            if (i % HUGE_EVERY == HUGE_EVERY - 1) return HUGE;
            return (int) (r % ((i % LARGE_EVERY == LARGE_EVERY - 1 ? LARGE : SMALL) + 1L));
        }
    }

    /** What arrived in quiet mode: one small record per delivery, in order. */
    static class Recorder {
        record Entry(UniqueId from, UniqueId id, byte[] sha, int length, boolean repeat) { }
        record Waiter(int count, String command) { }
        final List<Entry> entries = new ArrayList<>();
        final Set<List<UniqueId>> seen = new HashSet<>();
        final List<Waiter> waiters = new ArrayList<>();
        void add(Member from, byte[] id, byte[] b) {
            byte[] sha = sha256().digest(b);
            UniqueId f = new UniqueId(from.getUniqueId()), u = new UniqueId(id);
            synchronized (this) {
                entries.add(new Entry(f, u, sha, b.length, !seen.add(List.of(f, u))));
                tell();
            }
        }
        synchronized void clear() { entries.clear(); seen.clear(); }
        /** Answers when count different messages have been recorded, which may be now. */
        synchronized void await(int count) { waiters.add(new Waiter(count, COMMAND.get())); tell(); }
        private void tell() {
            for (Iterator<Waiter> i = waiters.iterator(); i.hasNext(); ) {
                Waiter w = i.next();
                if (w.count > seen.size()) continue;
                as(w.command, () -> event("event", "reached", "count", seen.size()));
                i.remove();
            }
        }
        synchronized void report(String from, String file) throws IOException {
            List<Entry> l = entries.stream().filter(e -> from.equals("all") || hex(e.from.getBytes()).equals(from)).toList();
            MessageDigest ordered = sha256();
            l.stream().filter(e -> !e.repeat).forEach(e -> ordered.update(e.sha));
            if (file != null) Files.write(Path.of(file), (Iterable<String>) l.stream().map(e ->
                hex(e.from.getBytes()) + " " + hex(e.id.getBytes()) + " " + hex(e.sha) + " " + e.length + " " + (e.repeat ? "repeat" : "first"))::iterator);
            event("event", "received", "from", from, "count", l.size(), "duplicates", l.stream().filter(Entry::repeat).count(),
                "bytes", l.stream().mapToLong(Entry::length).sum(), "digest", ordered.digest(), "file", file);
        }
    }

    final GroupChannel ch = new GroupChannel();
    final Tap tap = new Tap();
    final Attempts attempts = new Attempts();
    final Recorder recorder = new Recorder();
    final AtomicLong rx = new AtomicLong(), rxBytes = new AtomicLong(), tx = new AtomicLong(), txErr = new AtomicLong();
    final AtomicInteger failNext = new AtomicInteger();
    final Map<String, String> flags = new HashMap<>();
    final List<String> statics = new ArrayList<>();
    volatile long delay = 0;
    volatile boolean quiet = false, queued = false;
    RpcChannel rpc;

    @Override public void memberAdded(Member m) { member("memberAdded", m); }
    @Override public void memberDisappeared(Member m) { member("memberDisappeared", m); }
    @Override public boolean accept(Serializable s, Member m) {
        return !(s instanceof RpcMessage) && !(s instanceof AbstractReplicatedMap.MapMessage) && !s.getClass().getName().endsWith("MemberMessage");
    }
    @Override public void messageReceived(Serializable s, Member m) {
        pause();
        byte[] b = s instanceof ByteMessage bm ? bm.getMessage() : s.toString().getBytes(StandardCharsets.UTF_8);
        rx.incrementAndGet(); rxBytes.addAndGet(b.length);
        boolean fail = failNext.get() > 0 && failNext.getAndDecrement() > 0;
        ChannelMessage c = tap.current.get();
        if (quiet) recorder.add(m, c.getUniqueId(), b);
        else event("event", "message", "from", addr(m), "fromId", m.getUniqueId(), "kind", s instanceof ByteMessage ? "bytes" : s.getClass().getName(), "len", b.length,
            "sha256", sha256().digest(b), "head", Arrays.copyOf(b, Math.min(32, b.length)), "uniqueId", c.getUniqueId(), "options", c.getOptions(), "timestamp", c.getTimestamp(), "fail", fail);
        if (fail) throw new RuntimeException("asked to fail");
    }
    @Override public Serializable replyRequest(Serializable s, Member m) {
        event("event", "rpcRequest", "from", addr(m), "kind", s == null ? null : s.getClass().getName(), "value", show(s));
        pause();
        return s instanceof ByteMessage b ? new ByteMessage(b.getMessage()) : "echo:" + s;
    }
    @Override public void leftOver(Serializable s, Member m) { event("event", "rpcLeftOver", "from", addr(m), "value", show(s)); }
    private void pause() {
        if (delay > 0) try { Thread.sleep(delay); } catch (InterruptedException e) { Thread.currentThread().interrupt(); }
    }

    public static void main(String[] a) throws Exception { new EchoPeer().go(a); }

    void go(String[] a) throws Exception {
        for (int i = 0; i < a.length; i += 2) {
            if (a[i].equals("--static")) statics.add(a[i + 1]); else flags.put(a[i].substring(2), a[i + 1]);
        }
        if (flags.containsKey("name")) ch.setName(flags.get("name"));
        ch.setJmxEnabled(false);
        ch.setHeartbeatSleeptime(Long.parseLong(flags.getOrDefault("heartbeat", "5000")));
        ch.setOptionCheck(flags.containsKey("option-check"));
        transport();
        if (flags.getOrDefault("membership", statics.isEmpty() ? "mcast" : "static").equals("static")) staticMembership(); else multicast();
        stack();
        ch.addMembershipListener(this);
        ch.addChannelListener(this);
        String id = flags.getOrDefault("rpc", "echo");
        if (!id.equals("none")) rpc = new RpcChannel(id.getBytes(StandardCharsets.ISO_8859_1), ch, this);
        ch.start(Integer.parseInt(flags.getOrDefault("start", "15")));
        Member me = ch.getLocalMember(true);
        event("event", "started", "member", addr(me), "id", me.getUniqueId(), "udpPort", me.getUdpPort(), "tomcat", Channel.class.getPackage().getImplementationVersion(), "pid", ProcessHandle.current().pid());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) if (!line.isBlank()) dispatch(line.trim());
        Thread guard = new Thread(() -> { LockSupport.parkNanos(10_000_000_000L); Runtime.getRuntime().halt(3); }); // nobody is left who could kill us
        guard.setDaemon(true);
        guard.start();
        run("shutdown");
    }
    interface LongSetter { void set(long v) throws Exception; }
    private void number(String flag, LongSetter to) throws Exception { if (flags.containsKey(flag)) to.set(Long.parseLong(flags.get(flag))); }
    private void transport() throws Exception {
        NioReceiver r = (NioReceiver) ch.getChannelReceiver();
        r.setAddress(flags.getOrDefault("bind", "127.0.0.1"));
        r.setPort(Integer.parseInt(flags.getOrDefault("port", "4000")));
        r.setAutoBind(Integer.parseInt(flags.getOrDefault("autobind", "1")));
        number("udp-port", v -> r.setUdpPort((int) v));
        number("secure-port", v -> r.setSecurePort((int) v));
        if (flags.containsKey("buffer-pool")) r.setUseBufferPool(Boolean.parseBoolean(flags.get("buffer-pool")));
        PooledParallelSender s = (PooledParallelSender) ((ReplicationTransmitter) ch.getChannelSender()).getTransport();
        number("timeout", s::setTimeout);
        number("retries", v -> s.setMaxRetryAttempts((int) v));
        number("pool", v -> s.setPoolSize((int) v));
        number("keepalive-count", v -> s.setKeepAliveCount((int) v));
        number("keepalive-time", s::setKeepAliveTime);
    }
    private void multicast() throws Exception {
        McastService mc = (McastService) ch.getMembershipService();
        String[] g = flags.getOrDefault("mcast", "228.0.0.4:45564").split(":");
        mc.setAddress(g[0]); mc.setPort(Integer.parseInt(g[1]));
        if (flags.containsKey("mcast-bind")) mc.setBind(flags.get("mcast-bind"));
        number("freq", mc::setFrequency);
        number("drop", mc::setDropTime);
        number("ttl", v -> mc.setTtl((int) v));
        if (flags.containsKey("domain")) mc.setDomain(flags.get("domain"));
        if (flags.containsKey("payload")) mc.setPayload(unhex(flags.get("payload")));
    }
    private void staticMembership() throws Exception {
        StaticMembershipService svc = new StaticMembershipService();
        if (flags.containsKey("local-id")) svc.setLocalMember(localMember());
        for (String x : statics) svc.addStaticMember(staticMember(x));
        number("expire", svc::setExpirationTime);
        number("ping-interval", svc::setPingInterval);
        svc.setUseThread(Boolean.parseBoolean(flags.get("ping-thread")));
        ch.setMembershipService(svc);
    }
    private StaticMember localMember() throws Exception {
        ChannelReceiver r = ch.getChannelReceiver();
        return staticMember(r.getHost() + ":" + r.getPort() + ":" + flags.get("local-id") + (flags.containsKey("domain") ? ":" + flags.get("domain") : ""));
    }
    static StaticMember staticMember(String spec) throws Exception { // host:port:hexid[:domain]
        String[] p = spec.split(":");
        StaticMember m = new StaticMember(p[0], Integer.parseInt(p[1]), 0);
        if (p.length > 2) m.setUniqueId(unhex(p[2]));
        if (p.length > 3) m.setDomain(p[3]);
        return m;
    }
    private void stack() throws Exception {
        ch.addInterceptor(tap);
        for (String n : flags.getOrDefault("stack", "dispatch").split(",")) {
            if (n.isEmpty() || n.equals("none")) continue;
            ChannelInterceptor x = interceptor(n);
            if (flags.containsKey("flag-" + n)) x.setOptionFlag(Integer.decode(flags.get("flag-" + n)));
            ch.addInterceptor(x);
            queued |= n.equals("dispatch");
        }
    }
    private ChannelInterceptor interceptor(String n) throws Exception {
        switch (n) {
            case "tcpfd": { TcpFailureDetector t = new TcpFailureDetector(); t.setPerformReadTest(flags.containsKey("fd-read")); number("fd-timeout", t::setReadTestTimeout); return t; }
            case "ping": {
                TcpPingInterceptor t = new TcpPingInterceptor();
                t.setUseThread(Boolean.parseBoolean(flags.get("ping-thread")));
                number("ping-interval", t::setInterval);
                return t;
            }
            case "dispatch": { MessageDispatchInterceptor t = new MessageDispatchInterceptor(); number("queue", v -> { t.setMaxQueueSize(v); t.setAlwaysSend(false); }); return t; }
            case "gzip": { GzipInterceptor t = new GzipInterceptor(); number("gzip-min", v -> t.setCompressionMinSize((int) v)); return t; }
            case "order": { OrderInterceptor t = new OrderInterceptor(); number("order-expire", t::setExpire); return t; }
            case "frag": { FragmentationInterceptor t = new FragmentationInterceptor(); number("frag-size", v -> t.setMaxSize((int) v)); return t; }
            case "2pc": return new TwoPhaseCommitInterceptor();
            case "domain": { DomainFilterInterceptor t = new DomainFilterInterceptor(); t.setDomain(flags.getOrDefault("filter-domain", flags.getOrDefault("domain", ""))); return t; }
            case "encrypt": {
                EncryptInterceptor t = new EncryptInterceptor();
                t.setEncryptionAlgorithm(flags.getOrDefault("alg", "AES/GCM/NoPadding"));
                t.setEncryptionKey(flags.getOrDefault("key", "000102030405060708090a0b0c0d0e0f"));
                return t;
            }
            case "throughput": return new ThroughputInterceptor();
            case "static": {
                StaticMembershipInterceptor t = new StaticMembershipInterceptor();
                if (flags.containsKey("local-id")) t.setLocalMember(localMember());
                for (String y : statics) t.addStaticMember(staticMember(y));
                return t;
            }
            case "coord": return new NonBlockingCoordinator() {
                @Override public void fireInterceptorEvent(InterceptorEvent e) {
                    Member c = getCoordinator();
                    event("event", "coord", "type", e.getEventTypeDesc(), "coordinator", c == null ? null : addr(c), "view", addrs(getView()));
                }
            };
            case "simplecoord": return new SimpleCoordinator() { @Override protected void viewChange(Member[] v) { event("event", "view", "view", addrs(v)); } };
            default: throw new IllegalArgumentException("unknown interceptor " + n);
        }
    }

    Member[] dest(String d) {
        if (d.equals("all")) return ch.getMembers();
        for (Member m : ch.getMembers()) if (addr(m).equals(d) || hex(m.getUniqueId()).equals(d)) return new Member[] {m};
        throw new IllegalArgumentException("no member " + d);
    }
    void send(String d, int opt, Serializable s) {
        long t0 = System.nanoTime();
        String command = COMMAND.get();
        attempts.take();
        try {
            Member[] dst = dest(d);
            ErrorHandler h = new ErrorHandler() {
                @Override public void handleError(ChannelException x, UniqueId id) { as(command, () -> event("event", "asyncFailed", "uniqueId", id.getBytes(), "faulty", faulty(x))); }
                @Override public void handleCompletion(UniqueId id) { as(command, () -> event("event", "asyncDone", "uniqueId", id.getBytes())); }
            };
            UniqueId id = (opt & 8) != 0 ? ch.send(dst, s, opt, h) : ch.send(dst, s, opt);
            tx.incrementAndGet();
            event("event", "sent", "to", addrs(dst), "options", opt, "uniqueId", id.getBytes(), "micros", (System.nanoTime() - t0) / 1000, "failedAttempts", attempts.take());
        } catch (ChannelException x) {
            txErr.incrementAndGet();
            event("event", "sendFailed", "options", opt, "micros", (System.nanoTime() - t0) / 1000, "error", x.getClass().getSimpleName(), "faulty", faulty(x), "message", x.getMessage(), "failedAttempts", attempts.take());
        }
    }

    /** One series on its way to fixed destinations; ends with one bulkDone event. */
    class BulkSend {
        final Series series; final int count, options; final Member[] to; final String command = COMMAND.get();
        final byte[][] hashes;
        final AtomicInteger index = new AtomicInteger(), failed = new AtomicInteger(), retried = new AtomicInteger();
        final AtomicLong bytes = new AtomicLong();
        final java.util.concurrent.CountDownLatch open;
        BulkSend(String d, int options, Series series, int count) {
            this.to = dest(d); this.options = options; this.series = series; this.count = count;
            if (to.length == 0) throw new IllegalStateException("no members");
            hashes = new byte[count][];
            open = new java.util.concurrent.CountDownLatch(count);
        }
        void run(int threads, double rate) throws InterruptedException {
            long t0 = System.nanoTime();
            List<Thread> l = IntStream.range(0, threads).mapToObj(i -> new Thread(() -> work(t0, rate), "bulk-" + i)).toList();
            for (Thread t : l) t.start();
            open.await(); // queued sends too are counted down by their outcome
            MessageDigest all = sha256();
            for (byte[] h : hashes) all.update(h);
            event("event", "bulkDone", "seed", Long.toUnsignedString(series.seed), "count", count, "sent", count - failed.get(), "failed", failed.get(), "retried", retried.get(),
                "bytes", bytes.get(), "micros", (System.nanoTime() - t0) / 1000, "digest", all.digest(), "to", addrs(to));
        }
        private void work(long t0, double rate) {
            COMMAND.set(command);
            for (int i; (i = index.getAndIncrement()) < count; ) {
                if (rate > 0) for (long due = t0 + (long) (i * 1e9 / rate), d; (d = due - System.nanoTime()) > 0; ) LockSupport.parkNanos(d);
                byte[] b = series.message(i);
                hashes[i] = sha256().digest(b);
                bytes.addAndGet(b.length);
                one(i, new ByteMessage(b));
            }
        }
        private void one(int i, ByteMessage m) {
            boolean later = queued && (options & Channel.SEND_OPTIONS_ASYNCHRONOUS) != 0;
            attempts.take();
            try {
                if (later) { ch.send(to, m, options, outcome(i)); return; }
                ch.send(to, m, options);
                success(i);
            } catch (Exception x) { fail(i, x); }
            open.countDown();
        }
        private ErrorHandler outcome(int i) {
            return new ErrorHandler() {
                @Override public void handleError(ChannelException x, UniqueId id) { as(command, () -> fail(i, x)); open.countDown(); }
                @Override public void handleCompletion(UniqueId id) { as(command, () -> success(i)); open.countDown(); }
            };
        }
        private void success(int i) {
            int n = attempts.take();
            if (n == 0) return;
            retried.incrementAndGet();
            event("event", "bulkRetried", "index", i, "failedAttempts", n);
        }
        private void fail(int i, Exception x) {
            failed.incrementAndGet();
            event("event", "bulkFailed", "index", i, "error", x.toString(), "faulty", x instanceof ChannelException c ? faulty(c) : List.of(), "failedAttempts", attempts.take());
        }
    }

    /** Takes "[#NUMBER] [bg] COMMAND" apart. */
    void dispatch(String line) {
        String number = null;
        if (line.startsWith("#")) { number = line.substring(1, line.indexOf(' ')); line = line.substring(number.length() + 2); }
        String n = number, cmd = line.startsWith("bg ") ? line.substring(3) : line;
        Runnable r = () -> as(n, () -> run(cmd));
        if (cmd.equals(line)) { r.run(); return; }
        Thread t = new Thread(r);
        t.setDaemon(true);
        t.start();
    }
    void run(String line) {
        String[] c = line.split("\\s+");
        try {
            if (!messages(c, line) && !bulk(c, line) && !knobs(c, line)) event("event", "error", "cmd", line, "error", "unknown command");
        } catch (Exception e) { event("event", "error", "cmd", line, "error", e.toString()); }
    }
    private boolean messages(String[] c, String line) throws Exception {
        switch (c[0]) {
            case "send": send(c[1], Integer.decode(c[2]), new ByteMessage(unhex(c[3]))); return true;
            case "sendobj": send(c[1], Integer.decode(c[2]), line.split("\\s+", 4)[3]); return true;
            case "sendsize":
                for (int i = 0, k = c.length > 4 ? Integer.parseInt(c[4]) : 1; i < k; i++) {
                    byte[] b = new byte[Integer.parseInt(c[3])];
                    new Random(i + 1).nextBytes(b);
                    send(c[1], Integer.decode(c[2]), new ByteMessage(b));
                }
                return true;
            case "rpc": case "rpcbytes": {
                int mode = List.of("first", "majority", "all", "none").indexOf(c[2]) + 1;
                long t0 = System.nanoTime();
                Response[] rs = rpc.send(dest(c[1]), c[0].equals("rpc") ? line.split("\\s+", 6)[5] : new ByteMessage(unhex(c[5])), mode, Integer.decode(c[3]), Long.parseLong(c[4]));
                List<String> l = Stream.of(rs).map(x -> addr(x.getSource()) + " " + (show(x.getMessage()) instanceof byte[] b ? hex(b) : show(x.getMessage()))).toList();
                event("event", "rpcReplies", "count", rs.length, "replies", l, "micros", (System.nanoTime() - t0) / 1000);
                return true;
            }
            default: return false;
        }
    }
    private boolean bulk(String[] c, String line) throws Exception {
        switch (c[0]) {
            case "sendbulk": // DEST OPTIONS SEED COUNT [PROFILE [THREADS [RATE]]]
                new BulkSend(c[1], Integer.decode(c[2]), Series.of(c[3], c.length > 5 ? c[5] : "mix"), Integer.parseInt(c[4]))
                    .run(c.length > 6 ? Integer.parseInt(c[6]) : 1, c.length > 7 ? Double.parseDouble(c[7]) : 0);
                return true;
            case "quiet": quiet = c[1].equals("on"); ok(line); return true;
            case "received": recorder.report(c[1], c.length > 2 ? line.split("\\s+", 3)[2] : null); return true;
            case "forget": recorder.clear(); ok(line); return true;
            case "await": recorder.await(Integer.parseInt(c[1])); return true;
            default: return false;
        }
    }
    private boolean knobs(String[] c, String line) throws Exception {
        switch (c[0]) {
            case "members": {
                List<String> l = Stream.of(ch.getMembers()).map(m -> addr(m) + " " + hex(m.getUniqueId()) + " alive=" + m.getMemberAliveTime() + " ready=" + m.isReady() + " suspect=" + m.isSuspect() + " failing=" + m.isFailing()
                    + " domain=" + hex(m.getDomain()) + " payload=" + hex(m.getPayload())).toList();
                event("event", "members", "members", l);
                return true;
            }
            case "stats": event("event", "stats", "rx", rx.get(), "rxBytes", rxBytes.get(), "tx", tx.get(), "txErr", txErr.get(), "members", addrs(ch.getMembers())); return true;
            case "payload": ((McastService) ch.getMembershipService()).setPayload(unhex(c[1])); ok(line); return true;
            case "domain": ((McastService) ch.getMembershipService()).setDomain(unhex(c[1])); ok(line); return true;
            case "heartbeat": ch.heartbeat(); ok(line); return true;
            case "failnext": failNext.set(Integer.parseInt(c[1])); ok(line); return true;
            case "delay": delay = Long.parseLong(c[1]); ok(line); return true;
            case "stop": ch.stop(Integer.parseInt(c[1])); ok(line); return true;
            case "start": ch.start(Integer.parseInt(c[1])); ok(line); return true;
            case "shutdown": ch.stop(Channel.DEFAULT); event("event", "stopped"); System.exit(0); return true;
            case "kill": event("event", "killed"); Runtime.getRuntime().halt(9); return true;
            default: return false;
        }
    }
}
