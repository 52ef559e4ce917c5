// A node of OpenSearch with HTTP, as its own tests start one: arguments are its folder, the port of HTTP and that of transport.
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public class SearchNode extends Node {
  SearchNode(Environment environment) {
    super(environment, List.of(Netty4Plugin.class), true);
  }
  public static void main(String[] args) throws Exception {
    String home = args[0];
    Settings settings = Settings.builder()
      .put("path.home", home)
      .put("http.port", args[1])
      .put("transport.port", args[2])
      .put("network.host", "127.0.0.1")
      .put("discovery.type", "single-node")
      .put("http.type", "netty4")
      .put("transport.type", "netty4")
      .put("node.name", "one")
      .put("cluster.routing.allocation.disk.threshold_enabled", false)
      .build();
    SearchNode node = new SearchNode(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), Path.of(home, "config"), () -> "one"));
    node.start();
    Thread.currentThread().join();
  }
}
