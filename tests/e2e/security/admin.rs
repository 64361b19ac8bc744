//! The admin endpoint: on loopback, and behind the same gate if that is asked for.

use super::caller::Caller;
use super::papers::Papers;
use super::{pipeline, run_with};
use crate::harness::Sluicebox;

fn address(sluicebox: &Sluicebox) -> String {
    sluicebox.admin().split("://").nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_everything_but_the_probes_needs_a_credential() {
    let papers = Papers::issue();
    let nobody = Caller::trusting(&papers.authority.pem());
    let somebody = nobody.clone().with("authorization", "Bearer right-token");
    let stranger = nobody.clone().with("authorization", "Bearer wrong-token");
    let telemetry = "tls: { cert_file: ./server.pem, key_file: ./server.key, reload_interval: 50ms }, auth: { bearer: { tokens: [right-token] } }";
    let sluicebox = run_with(papers, &pipeline("", "", telemetry));
    assert!(sluicebox.admin().starts_with("https://127.0.0.1:"), "{}", sluicebox.admin());
    let get = async |caller: &Caller, path: &str| {
        caller.web().send("GET", &address(&sluicebox), path, &[], "").await.unwrap()
    };
    for path in ["/metrics", "/status", "/", "/nowhere", "/healthz/", "/healthz/../status"] {
        for caller in [&nobody, &stranger] {
            let answer = get(caller, path).await;
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, "Bearer realm=\"sluicebox\""),
                "{path}"
            );
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&nobody, path).await.status, 200, "{path}");
    }
    assert_eq!(get(&somebody, "/status").await.status, 200);
    let page = String::from_utf8(get(&somebody, "/metrics").await.body.to_vec()).unwrap();
    let counted = page.lines().find(|line| line.contains("receiver=\"admin\"") && line.contains("reason=\"unknown\""));
    assert!(counted.is_some_and(|line| line.ends_with(" 6")), "{page}");
    // Plaintext is no way around.
    assert!(Caller::plain().web().send("GET", &address(&sluicebox), "/healthz", &[], "").await.is_none());

    let next = super::papers::Authority::new();
    let paper = next.issue();
    sluicebox.write("server.pem", &paper.cert);
    sluicebox.write("server.key", &paper.key);
    sluicebox.wait_for_log("admin (http): `tls`: its files have changed, and are used");
    let answer = Caller::trusting(&next.pem()).web().send("GET", &address(&sluicebox), "/readyz", &[], "").await;
    assert_eq!(answer.unwrap().status, 200);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_for_other_machines_that_asks_for_nothing_is_warned_of() {
    const OPEN: &str = "whoever reaches this address may use it";
    let other_machines = |pipeline: String| pipeline.replace("127.0.0.1:0", "0.0.0.0:0");
    let sluicebox = Sluicebox::run(&other_machines(pipeline("", "", "")));
    for key in ["protocols.grpc.endpoint", "protocols.http.endpoint", "service.telemetry.endpoint"] {
        sluicebox.wait_for_log(key);
    }
    let (log, _) = sluicebox.stop();
    assert_eq!(log.iter().filter(|line| line.contains(OPEN)).count(), 3, "{log:?}");

    let auth = "auth: { bearer: { tokens: [x] } },";
    let sluicebox = Sluicebox::run(&other_machines(pipeline(auth, "", auth)));
    let (log, _) = sluicebox.stop();
    assert!(!log.join("\n").contains(OPEN), "{log:?}");
}
