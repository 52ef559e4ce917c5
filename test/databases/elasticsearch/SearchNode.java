// A node of Elasticsearch with HTTP: arguments are its folder, which has HTTP as a module, the port of HTTP and that of transport.
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

public class SearchNode {
  public static void main(String[] args) throws Exception {
    String home = args[0];
    LogConfigurator.configureESLogging();
    Settings settings = Settings.builder()
      .put("path.home", home)
      .put("http.port", args[1])
      .put("transport.port", args[2])
      .put("network.host", "127.0.0.1")
      .put("discovery.type", "single-node")
      .put("node.name", "one")
      .put("cluster.routing.allocation.disk.threshold_enabled", false)
      .build();
    Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), Path.of(home, "config"), () -> "one");
    Set<org.elasticsearch.plugins.PluginBundle> modules = PluginsLoader.loadModulesBundles(environment.modulesDir());
    new Node(environment, PluginsLoader.createPluginsLoader(modules, Set.of(), Map.of(), false)).start();
    Thread.currentThread().join();
  }
}
