import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.*;
import org.apache.catalina.tribes.Member;
import org.apache.catalina.tribes.tipis.*;

/** An EchoPeer with a replicated map. See README.md. */
public class MapPeer extends EchoPeer {
    AbstractReplicatedMap<Serializable, Serializable> map;
    /** Byte arrays are equal to nothing but themselves, so each key has one here. */
    final Map<String, byte[]> keys = new ConcurrentHashMap<>();

    public static void main(String[] a) throws Exception { new MapPeer().go(a); }

    @Override void run(String line) {
        String[] c = line.split("\\s+");
        try {
            switch (c[0]) {
                case "mapstart": start(c); return;
                case "mapoptions": map.setChannelSendOptions(Integer.parseInt(c[1])); ok(line); return;
                case "mapput": map.put(key(c[1]), value(c[2])); ok(line); return;
                case "mapfill": fill(c[1], Integer.parseInt(c[2]), Integer.parseInt(c[3])); ok(line); return;
                case "mapget": event("event", "mapValue", "key", c[1], "value", text(map.get(key(c[1])))); return;
                case "mapremove": map.remove(key(c[1])); ok(line); return;
                case "mapdump": event("event", "map", "entries", entries().sorted().toList(), "mapMembers", addrs(map.getMapMembers())); return;
                case "mapdigest": digest(); return;
                case "mapstop": map.breakdown(); ok(line); return;
                default: super.run(line);
            }
        } catch (Exception e) { event("event", "error", "cmd", line, "error", e.toString()); }
    }
    /** mapstart NAME full|lazy [TIMEOUT] */
    private void start(String[] c) {
        long timeout = c.length > 3 ? Long.parseLong(c[3]) : 5000;
        map = c[2].equals("full") ? new ReplicatedMap<>(null, ch, timeout, c[1], null) : new LazyReplicatedMap<>(null, ch, timeout, c[1], null);
        event("event", "mapStarted", "name", c[1], "kind", c[2]);
    }
    private Serializable key(String s) { return s.startsWith("0x") ? keys.computeIfAbsent(s, k -> unhex(k.substring(2))) : s; }
    static Serializable value(String s) { return s.startsWith("0x") ? unhex(s.substring(2)) : s; }
    static String text(Object o) { return o == null ? null : o instanceof byte[] b ? "0x" + hex(b) : o.toString(); }

    /** The twin of fill in ../go_map_large_test.go. */
    private void fill(String prefix, int count, int size) {
        for (int i = 0; i < count; i++) map.put(prefix + i, (prefix + i + ":").repeat(size).substring(0, size));
    }
    private Stream<String> entries() {
        return map.entrySetFull().stream().map(e -> text(e.getKey()) + "=" + about(e.getValue()));
    }
    private static String about(AbstractReplicatedMap.MapEntry<Serializable, Serializable> v) {
        Member[] backups = v.getBackupNodes();
        return (v.isProxy() ? "-" : text(v.getValue())) + " primary=" + (v.getPrimary() == null ? null : addr(v.getPrimary()))
            + " backups=" + (backups == null || backups.length == 0 ? "null" : addrs(backups).stream().collect(Collectors.joining(";")))
            + " role=" + (v.isPrimary() ? "primary" : v.isBackup() ? "backup" : v.isCopy() ? "copy" : "proxy");
    }
    /** How many entries there are, and the SHA-256 over all lines "key=value", sorted; without a value where it is elsewhere. */
    private void digest() {
        MessageDigest d = sha256();
        List<String> all = map.entrySetFull().stream().map(e -> text(e.getKey()) + "=" + (e.getValue().isProxy() ? "" : text(e.getValue().getValue())) + "\n").sorted().toList();
        for (String s : all) d.update(s.getBytes(StandardCharsets.UTF_8));
        event("event", "mapDigest", "count", all.size(), "digest", d.digest());
    }
}
