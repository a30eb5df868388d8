//! A Prometheus and an Alertmanager of a test's own, as Debian has them.
//!
//! Does not know what is measured, nor who is told.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Both programs; they end with this.
pub struct Prometheus {
    programs: Vec<Child>,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts both: Prometheus reads the metrics of a server and fires one alert of this name while
    /// the expression holds; Alertmanager hands it to the server with this token.
    ///
    /// # Panics
    /// When one of them does not start.
    pub fn over(server: &str, token: &str, alert: &str, expression: &str) -> Prometheus {
        let (manager, prometheus) = (free(), free());
        let name = format!("node0-prometheus-{}", manager.replace(':', "-"));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let path = |name: &str| folder.join(name);
        let rules = format!(
            "groups:\n- name: test\n  interval: 1s\n  rules:\n  - alert: {alert}\n    \
             expr: {expression}\n    labels: {{severity: critical}}\n    \
             annotations: {{summary: 'the log has {{{{ $value }}}} events'}}\n"
        );
        let scrape = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{}]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{manager}']}}]}}]}}\n\
             scrape_configs:\n- job_name: node0\n  static_configs: [{{targets: ['{server}']}}]\n",
            path("rules.yml").display()
        );
        let route = format!(
            "route: {{receiver: node0, group_by: [alertname], group_wait: 0s, group_interval: 1s}}\n\
             receivers:\n- name: node0\n  webhook_configs:\n  - url: http://{server}/api/v1/alertmanager\n    \
             send_resolved: true\n    http_config: {{authorization: {{credentials: '{token}'}}}}\n"
        );
        for (name, text) in
            [("rules.yml", rules), ("prometheus.yml", scrape), ("alertmanager.yml", route)]
        {
            fs::write(path(name), text).expect("a file can be written");
        }
        let option = |name: &str, file: &str| format!("--{name}={}", path(file).display());
        let programs = vec![
            start(
                Command::new("prometheus-alertmanager")
                    .arg(option("config.file", "alertmanager.yml"))
                    .arg(option("storage.path", "alerts"))
                    .arg(format!("--web.listen-address={manager}"))
                    .arg("--cluster.listen-address="),
                &path("alertmanager.log"),
            ),
            start(
                Command::new("prometheus")
                    .arg(option("config.file", "prometheus.yml"))
                    .arg(option("storage.tsdb.path", "samples"))
                    .arg(format!("--web.listen-address={prometheus}")),
                &path("prometheus.log"),
            ),
        ];
        Prometheus { programs, folder }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // It may have ended by itself: then there is nothing to end.
            let _ = program.kill();
            let _ = program.wait();
        }
        // What is left lies with what else is temporary.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn start(command: &mut Command, log: &Path) -> Child {
    let log = fs::File::create(log).expect("a log can be written");
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    started.expect("make test installs Prometheus and Alertmanager")
}

/// A place nobody listens at.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").to_string()
}
