import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.stream.*;
import org.apache.catalina.tribes.*;
import org.apache.catalina.tribes.group.*;

/** An EchoPeer with any number of RPC channels. See README.md. */
public class RpcPeer extends EchoPeer {
    final Map<String, RpcChannel> channels = new HashMap<>();

    public static void main(String[] a) throws Exception { new RpcPeer().go(a); }

    /** What a channel does with a request. */
    record Service(String id, String kind) implements RpcCallback {
        @Override public Serializable replyRequest(Serializable s, Member m) {
            event("event", "rpcRequest", "from", addr(m), "fromId", m.getUniqueId(), "name", id, "kind", s == null ? null : s.getClass().getName(), "value", show(s));
            switch (kind) {
                case "echo": return s;
                case "null": return null;
                case "object": return Integer.valueOf(42);
                case "throw": throw new IllegalStateException("asked to fail");
                case "slow":
                    try { Thread.sleep(300); } catch (InterruptedException e) { Thread.currentThread().interrupt(); }
                    return s;
                default: throw new IllegalStateException(kind);
            }
        }
        @Override public void leftOver(Serializable s, Member m) { event("event", "rpcLeftOver", "from", addr(m), "name", id, "value", show(s)); }
    }
    /** Text; bytes as hex, or by their digest if there are many. */
    static String show(Serializable s) {
        byte[] b = s instanceof ByteMessage m ? m.getMessage() : s instanceof byte[] a ? a : null;
        return b == null ? String.valueOf(s) : hex(b.length > 64 ? sha256().digest(b) : b);
    }

    private RpcChannel channel(String id) { return channels.get(id); }
    private void open(String id, String kind) { channels.put(id, new RpcChannel(id.getBytes(StandardCharsets.ISO_8859_1), ch, new Service(id, kind))); }

    @Override void run(String line) {
        String[] c = line.split("\\s+");
        try {
            switch (c[0]) {
                case "rpcopen": open(c[1], c[2]); ok(line); return;
                case "rpcclose": channels.remove(c[1]).breakdown(); ok(line); return;
                case "rpccall": call(c); return;
                default: super.run(line);
            }
        } catch (Exception e) { event("event", "error", "cmd", line, "error", e.toString()); }
    }
    /** rpccall DEST ID MODE OPTIONS TIMEOUT KIND HEX */
    private void call(String[] c) throws Exception {
        int mode = List.of("first", "majority", "all", "none").indexOf(c[3]) + 1;
        byte[] b = unhex(c[7]);
        Serializable s = switch (c[6]) {
            case "bytes" -> new ByteMessage(b);
            case "array" -> b;
            case "string" -> new String(b, StandardCharsets.UTF_8);
            case "object" -> Integer.valueOf(42);
            default -> null;
        };
        long t0 = System.nanoTime();
        Response[] rs = channel(c[2]).send(dest(c[1]), s, mode, Integer.decode(c[4]), Long.parseLong(c[5]));
        List<String> l = Stream.of(rs).map(r -> addr(r.getSource()) + " " + (r.getMessage() == null ? "null" : r.getMessage().getClass().getSimpleName()) + " " + show(r.getMessage())).sorted().toList();
        event("event", "rpcReplies", "count", rs.length, "replies", l, "micros", (System.nanoTime() - t0) / 1000);
    }
}
