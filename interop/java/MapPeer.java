/** An EchoPeer whose map can be told how to send. See README.md. */
public class MapPeer extends EchoPeer {
    public static void main(String[] a) throws Exception { new MapPeer().go(a); }

    @Override void run(String line) {
        String[] c = line.split("\\s+");
        if (c[0].equals("mapoptions")) {
            map.setChannelSendOptions(Integer.parseInt(c[1]));
            ok(line);
        } else super.run(line);
    }
}
