//! What is shipped for Prometheus and Grafana: promtool tests the rules, and every expression of the dashboard gets an
//! answer from a Prometheus that scrapes an agent.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use resetmon::cause::Cause;
use resetmon_tests::{Agent, Family, Folder, Netns, host};
use serde_json::Value;

use crate::prometheus::Prometheus;

/// Panels that are empty when all is well.
const EMPTY_WHEN_WELL: [&str; 1] = ["Probes that are not attached"];

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn text_of(name: &str) -> String {
    let path = shipped(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs promtool: what it said.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("/usr/bin/promtool");
    command.args(arguments).current_dir(shipped("prometheus"));
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut promtool = pipes.expect("promtool starts");
    let mut to = promtool.stdin.take().expect("a pipe");
    to.write_all(input.as_bytes()).expect("promtool reads");
    drop(to);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn promtool_finds_nothing_to_improve() {
    let _host = host::shared();
    let agent = Agent::start(&["--bpf-stats"]);
    assert_eq!(promtool(&["check", "metrics"], &agent.get("/metrics").body), "");
}

#[test]
fn rules_do_what_their_cases_say() {
    let _host = host::shared();
    assert!(promtool(&["check", "rules", "resetmon.rules.yml"], "").contains("SUCCESS"));
    assert!(promtool(&["test", "rules", "resetmon.tests.yml"], "").contains("SUCCESS"));
}

#[test]
fn every_alert_has_a_case() {
    let _host = host::shared();
    let named = |file: &str, key: &str| -> BTreeSet<String> {
        let text = text_of(file);
        text.lines().filter_map(|line| line.split_once(key)).map(|(_, name)| name.to_owned()).collect()
    };
    let alerts = named("prometheus/resetmon.rules.yml", "- alert: ");
    assert!(alerts.len() >= 10, "{alerts:?}");
    assert_eq!(named("prometheus/resetmon.tests.yml", " alertname: "), alerts);
}

#[test]
fn rules_name_causes_that_there_are() {
    let _host = host::shared();
    let rules = text_of("prometheus/resetmon.rules.yml");
    let after_cause = rules.split("cause=").skip(1).filter_map(|rest| rest.split('"').nth(1));
    let causes: Vec<_> = after_cause.flat_map(|causes| causes.split('|')).collect();
    assert!(causes.len() >= 7, "{causes:?}");
    for cause in causes {
        cause.parse::<Cause>().unwrap_or_else(|error| panic!("{cause}: {error}"));
    }
}

/// Titles and expressions of all panels.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text_of("grafana/resetmon.json")).expect("JSON");
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            all.push((title.to_owned(), target["expr"].as_str().expect("an expression").to_owned()));
        }
    }
    all
}

#[test]
fn the_dashboard_shows_what_a_prometheus_knows() {
    let _host = host::shared();
    let agent = Agent::start(&["--bpf-stats"]);
    let folder = Folder::new();
    let rules = shipped("prometheus/resetmon.rules.yml");
    let configuration = folder.write(
        "prometheus.yml",
        &format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  evaluation_interval: 200ms\n\
             rule_files: ['{}']\nscrape_configs:\n- job_name: resetmon\n  static_configs:\n  - targets: ['{}']\n",
            rules.display(),
            agent.address()
        ),
    );
    let prometheus = Prometheus::start(&configuration);
    prometheus.expect("up{job=\"resetmon\"}", 1.0);

    // Both ends are here, so that both have the cause.
    let netns = Netns::new();
    let mut actor = netns.actor("test-dashboard");
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    for _ in 0..20 {
        actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    }
    prometheus.expect("max(resetmon_errors_delivered_total{errno=\"ECONNREFUSED\"}) >= bool 20", 1.0);

    let expressions = expressions();
    assert!(expressions.len() >= 20, "{expressions:?}");
    for (title, expression) in &expressions {
        let query = expression
            .replace("$__rate_interval", "1m")
            .replace("$job", "resetmon")
            .replace("$instance", ".*");
        assert!(!query.contains('$'), "{title}: {query}");
        let results = prometheus.results(&query);
        assert!(
            !results.is_empty() || EMPTY_WHEN_WELL.contains(&title.as_str()),
            "{title}: {query} has no result"
        );
    }
    let recorded = "instance_cause:resetmon_resets_received:rate5m{cause=\"closed_port\"}";
    prometheus.expect(&format!("{recorded} > bool 0"), 1.0);
    prometheus.expect("count(ALERTS{alertname=~\"Resetmon.*\"}) or vector(0)", 0.0);

    // The agent ends: the alert is on its way, which takes its five minutes.
    drop(agent);
    prometheus.expect("count(ALERTS{alertname=\"ResetmonDown\",alertstate=\"pending\"})", 1.0);
}
