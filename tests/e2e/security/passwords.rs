//! Users and passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tonic::Code;

use super::caller::Caller;
use super::pipeline;
use crate::harness::Sluicebox;

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn showing(user: &str, password: &str) -> Caller {
    Caller::plain().with("authorization", &basic(user, password))
}

fn entry(user: &str, password: &str, cost: u32) -> String {
    format!("{user}:{}", bcrypt::hash(password, cost).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_users_come_in_with_their_passwords_only() {
    let folder = tempfile::tempdir().unwrap();
    let typed = entry("ann", "open:sesame", 5);
    let auth = format!("auth: {{ basic: {{ htpasswd: ['{typed}'], file: ./users }}, reload_interval: 50ms }},");
    std::fs::write(folder.path().join("pipeline.yaml"), pipeline(&auth, "", "")).unwrap();
    std::fs::write(folder.path().join("users"), entry("bob", "hush", 4)).unwrap();
    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    for (user, password, opens) in [
        ("ann", "open:sesame", true),
        ("bob", "hush", true),
        ("ann", "hush", false),
        ("bob", "open:sesame", false),
        ("ann", "", false),
        ("eve", "hush", false),
        ("", "", false),
    ] {
        // Twice each: once checked, once remembered.
        for _ in 0..2 {
            assert_eq!(showing(user, password).sends(&sluicebox, user).await, [opens, opens], "{user}");
        }
    }
    let denied = showing("eve", "hush").web().export(&sluicebox, "x").await.unwrap();
    assert_eq!(denied.header("www-authenticate"), "Basic realm=\"sluicebox\", charset=\"UTF-8\"");
    let garbled = Caller::plain().with("authorization", "Basic %%%");
    assert_eq!(garbled.grpc(&sluicebox).export("x").await.unwrap_err().code(), Code::Unauthenticated);

    sluicebox.write("users", entry("bob", "another", 4));
    sluicebox.wait_for_nth_log("its files have changed, and are used", 2);
    assert_eq!(showing("bob", "hush").sends(&sluicebox, "x").await, [false, false], "nothing old is remembered");
    assert_eq!(showing("bob", "another").sends(&sluicebox, "x").await, [true, true]);

    sluicebox.write("users", "bob:plain-text\n");
    let told = sluicebox.wait_for_nth_log("but cannot be used", 2);
    assert!(told.contains("line 1 is no line of htpasswd") && !told.contains("plain-text"), "{told}");
    assert_eq!(showing("bob", "another").sends(&sluicebox, "x").await, [true, true]);
    let (log, _) = sluicebox.stop();
    for word in ["sesame", "hush", "$2b$", &STANDARD.encode("ann:hush")] {
        assert!(!log.join("\n").contains(word), "{word} was told");
    }
}

/// A guess costs a third of a second here, so that eighty on one connection fill the queue before one is checked.
#[tokio::test(flavor = "multi_thread")]
async fn f18_many_guesses_wait_in_a_short_queue_and_who_is_known_does_not() {
    let auth = format!("auth: {{ basic: {{ htpasswd: ['{}'] }} }},", entry("ann", "sesame", 12));
    let sluicebox = Sluicebox::run(&pipeline(&auth, "", ""));
    let known = showing("ann", "sesame").grpc(&sluicebox);
    known.export("first").await.unwrap();
    let line = Caller::plain().grpc(&sluicebox);
    line.export("nobody").await.unwrap_err();
    let mut guesses = tokio::task::JoinSet::new();
    for guess in 0..80 {
        let line = line.with("authorization", basic("ann", &format!("guess-{guess}")));
        guesses.spawn(async move { line.export("guess").await.unwrap_err().code() });
    }
    let mut next = async || guesses.join_next().await.unwrap().unwrap();
    // Whoever was checked once is not checked again, whatever the queue.
    let mut told = vec![next().await];
    known.export("meanwhile").await.unwrap();
    // Who finds no place in the queue is told to come again; the others, one after the other, that they are wrong.
    while !(told.contains(&Code::Unavailable) && told.contains(&Code::Unauthenticated)) {
        told.push(next().await);
    }
    assert!(told.iter().all(|code| [Code::Unavailable, Code::Unauthenticated].contains(code)), "{told:?}");
    guesses.abort_all();
    known.export("last").await.unwrap();
    sluicebox.stop();
}
