import java.util.*;

/** A server on the JVM: 100 requests a second, 20 KiB of garbage each; `leak` keeps 1 KiB of each for good, `clean` of the latest 20,000. */
public class Server {
    static final Map<Long, byte[]> KEPT = new LinkedHashMap<>();
    static long garbage;

    public static void main(String[] arguments) throws Exception {
        boolean leaks = arguments[0].equals("leak");
        for (long number = 0;; ) {
            for (int of = 0; of < 10; of++, number++) {
                List<byte[]> body = new ArrayList<>();
                for (int part = 0; part < 20; part++) body.add(new byte[1024]);
                garbage += body.size();
                KEPT.put(number, new byte[1024]);
                if (!leaks && KEPT.size() > 20_000) KEPT.remove(number - 20_000);
            }
            Thread.sleep(100);
        }
    }
}
