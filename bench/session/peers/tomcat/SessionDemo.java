// SessionDemo is a small web application that offers the contract of package web (see its doc.go) on top of
// whatever session manager the container is set up with.
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;

import org.apache.catalina.ContainerServlet;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;
import org.apache.catalina.Manager;
import org.apache.catalina.Session;
import org.apache.catalina.Store;
import org.apache.catalina.StoreManager;
import org.apache.catalina.Wrapper;
import org.apache.catalina.ha.CatalinaCluster;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.tribes.tipis.AbstractReplicatedMap;

public class SessionDemo extends HttpServlet implements ContainerServlet {
    private static final long serialVersionUID = 1L;
    private static final byte[] PAD = padding(1 << 20);

    private transient Wrapper wrapper;
    private transient Map<String, Session> sessionMap;

    @Override public Wrapper getWrapper() { return wrapper; }
    @Override public void setWrapper(Wrapper w) { wrapper = w; }

    private Context context() { return (Context) wrapper.getParent(); }
    private Manager manager() { return context().getManager(); }
    private String node() {
        return ((Engine) context().getParent().getParent()).getJvmRoute();
    }

    @SuppressWarnings("unchecked")
    private Map<String, Session> sessions() throws IOException {
        if (sessionMap == null) {
            try {
                Field f = ManagerBase.class.getDeclaredField("sessions");
                f.setAccessible(true);
                sessionMap = (Map<String, Session>) f.get(manager());
            } catch (ReflectiveOperationException e) {
                throw new IOException(e);
            }
        }
        return sessionMap;
    }

    @Override
    protected void service(HttpServletRequest q, HttpServletResponse r) throws IOException {
        String p = q.getRequestURI(), m = q.getMethod();
        StringBuilder o = new StringBuilder(160);
        o.append("{\"node\":\"").append(node()).append('"');
        int code = 200;
        switch (m + " " + p) {
            case "GET /whoami": whoami(o); break;
            case "PUT /attr": put(q, o); break;
            case "GET /attr": get(q, o); break;
            case "DELETE /attr": delete(q, o); break;
            case "POST /incr": incr(q, o); break;
            case "POST /invalidate": invalidate(q, o); break;
            case "GET /stats": stats(q, o); break;
            case "GET /session": lookup(q, o); break;
            default: code = 404;
        }
        byte[] b = o.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
        r.setStatus(code);
        r.setContentType("application/json");
        r.setContentLength(b.length);
        r.getOutputStream().write(b);
    }

    private void whoami(StringBuilder o) {
        int members = context().getCluster() instanceof CatalinaCluster
                ? ((CatalinaCluster) context().getCluster()).getMembers().length : 0;
        o.append(",\"store\":\"").append(manager().getClass().getSimpleName())
         .append("\",\"pid\":").append(ProcessHandle.current().pid())
         .append(",\"peers\":").append(members);
    }

    private void put(HttpServletRequest q, StringBuilder o) throws IOException {
        String name = q.getParameter("name"), tag = str(q.getParameter("tag"), "0");
        int count = num(q.getParameter("count"), 1);
        HttpSession s = q.getSession(true);
        String prev = tagOf(s.getAttribute(name));
        if (q.getParameter("size") == null) {
            s.setAttribute(name, q.getInputStream().readAllBytes());
        } else {
            int size = num(q.getParameter("size"), 0);
            for (int i = 0; i < count; i++) {
                s.setAttribute(count == 1 ? name : name + i, value(tag, size));
            }
        }
        o.append(",\"new\":").append(s.isNew()).append(",\"prev\":\"").append(prev).append('"');
    }

    private void get(HttpServletRequest q, StringBuilder o) {
        HttpSession s = q.getSession(false);
        String name = q.getParameter("name");
        if (name != null) {
            attr(o, s == null ? null : s.getAttribute(name));
            return;
        }
        o.append(",\"found\":").append(s != null).append(",\"attrs\":[");
        if (s != null) {
            String sep = "";
            for (String n : Collections.list(s.getAttributeNames())) {
                byte[] v = (byte[]) s.getAttribute(n);
                o.append(sep).append("{\"name\":\"").append(n).append("\",\"size\":").append(v.length)
                 .append(",\"tag\":\"").append(tagOf(v)).append("\"}");
                sep = ",";
            }
        }
        o.append(']');
    }

    private static void attr(StringBuilder o, Object v) {
        o.append(",\"found\":").append(v != null).append(",\"size\":")
         .append(v == null ? 0 : ((byte[]) v).length).append(",\"tag\":\"").append(tagOf(v)).append('"');
    }

    private void delete(HttpServletRequest q, StringBuilder o) {
        HttpSession s = q.getSession(false);
        String name = q.getParameter("name");
        o.append(",\"found\":").append(s != null && s.getAttribute(name) != null);
        if (s != null) s.removeAttribute(name);
    }

    // incr is an unguarded read-modify-write, as application code usually is.
    private void incr(HttpServletRequest q, StringBuilder o) {
        HttpSession s = q.getSession(true);
        String name = q.getParameter("name"), t = tagOf(s.getAttribute(name));
        long v = (t.isEmpty() ? 0 : Long.parseLong(t)) + 1;
        s.setAttribute(name, value(Long.toString(v), 16));
        o.append(",\"new\":").append(s.isNew()).append(",\"value\":").append(v);
    }

    private void invalidate(HttpServletRequest q, StringBuilder o) {
        HttpSession s = q.getSession(false);
        if (s != null) s.invalidate();
        o.append(",\"found\":").append(s != null);
    }

    private void stats(HttpServletRequest q, StringBuilder o) throws IOException {
        if ("1".equals(q.getParameter("gc"))) { System.gc(); System.gc(); }
        int local = 0, known = 0;
        Map<String, Session> all = sessions();
        if (all instanceof AbstractReplicatedMap) {
            for (var e : ((AbstractReplicatedMap<String, Session>) all).entrySetFull()) {
                known++;
                if (e.getValue() != null && (e.getValue().isPrimary() || e.getValue().isBackup())
                        && e.getValue().getValue() != null) local++;
            }
        } else {
            local = known = all.size();
            if (manager() instanceof StoreManager && ((StoreManager) manager()).getStore() != null) {
                known = ((StoreManager) manager()).getStore().getSize();
            }
        }
        var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        String[] statm = Files.readString(Path.of("/proc/self/statm")).split(" ");
        o.append(",\"sessions\":").append(local).append(",\"known\":").append(known)
         .append(",\"heap\":").append(ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed())
         .append(",\"rss\":").append(Long.parseLong(statm[1]) * 4096)
         .append(",\"cpu_us\":").append(os.getProcessCpuTime() / 1000);
    }

    // lookup reads this node's copy of a session without counting as an access.
    private void lookup(HttpServletRequest q, StringBuilder o) throws IOException {
        String id = q.getParameter("id"), name = q.getParameter("name");
        Session s;
        Map<String, Session> all = sessions();
        if (all instanceof AbstractReplicatedMap) {
            var e = ((AbstractReplicatedMap<String, Session>) all).getInternal(id);
            s = e == null || e.isProxy() ? null : e.getValue();
        } else {
            s = all.get(id);
            if (s == null && manager() instanceof StoreManager) {
                Store st = ((StoreManager) manager()).getStore();
                try {
                    if (st != null) s = st.load(id);
                } catch (Exception ex) {
                    s = null;
                }
            }
        }
        int n = 0;
        Object v = null;
        if (s != null) {
            try {
                HttpSession h = s.getSession();
                if (name != null) v = h.getAttribute(name);
                else n = Collections.list(h.getAttributeNames()).size();
            } catch (IllegalStateException ex) {
                s = null;
            }
        }
        if (name != null) attr(o, v); else o.append(",\"found\":").append(s != null).append(",\"attrs\":").append(n);
    }

    private static byte[] value(String tag, int size) {
        byte[] t = (tag + "|").getBytes(StandardCharsets.US_ASCII);
        byte[] v = new byte[Math.max(size, t.length)];
        System.arraycopy(PAD, 0, v, 0, Math.min(v.length, PAD.length));
        System.arraycopy(t, 0, v, 0, t.length);
        return v;
    }

    private static String tagOf(Object o) {
        if (!(o instanceof byte[])) return "";
        byte[] b = (byte[]) o;
        for (int i = 0; i < b.length && i < 32; i++) {
            if (b[i] == '|') return new String(b, 0, i, StandardCharsets.US_ASCII);
        }
        return "";
    }

    private static byte[] padding(int n) {
        byte[] b = new byte[n];
        new java.util.Random(7).nextBytes(b);
        return b;
    }

    private static int num(String s, int d) { return s == null ? d : Integer.parseInt(s); }
    private static String str(String s, String d) { return s == null ? d : s; }
}
