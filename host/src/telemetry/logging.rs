//! The log: on standard error, as text for people or JSON for machines.
//!
//! What is logged is set by `-v` and `-q`, or in full by a filter in `SLUICEBOX_LOG` or `RUST_LOG` (the syntax is that
//! of tracing-subscriber's `EnvFilter`). The libraries below are held at warnings: each h2 frame is no news.

use std::env::VarError;
use std::io::{self, IsTerminal};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// Variables that may hold a filter; the first that is set and not empty counts.
const FILTERS: [&str; 2] = ["SLUICEBOX_LOG", "RUST_LOG"];

/// Libraries that log their inner life.
const NOISY: [&str; 12] = [
    "cranelift_codegen",
    "h2",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "mio",
    "notify",
    "rustls",
    "tonic",
    "tower",
    "wasmtime",
    "wasmtime_internal_cranelift",
];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people: time, level, message, fields.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// How the log is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// How lines look.
    pub format: LogFormat,
    /// Steps above (`-v`) or below (`-q`) the level `info`.
    pub verbosity: i8,
}

/// The log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// A variable holds no filter.
    #[error("the variable {name} holds no log filter (`info` and `warn,sluicebox=debug` are some)")]
    Filter {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A variable is not text.
    #[error("the variable {name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
    /// There is one already.
    #[error("the log is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log; once. Colours only where a terminal shows them and `NO_COLOR` (no-color.org) is not set.
pub fn init(options: LogOptions) -> Result<(), LoggingError> {
    let filter = filter(options.verbosity, |name| std::env::var(name))?;
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    subscriber(options.format, filter, colours, io::stderr).try_init()?;
    Ok(())
}

/// What is logged: the filter of the environment as it is, or else one made from the verbosity.
fn filter(verbosity: i8, variable: impl Fn(&str) -> Result<String, VarError>) -> Result<EnvFilter, LoggingError> {
    for name in FILTERS {
        match variable(name) {
            Ok(filter) if filter.trim().is_empty() => {}
            Ok(filter) => {
                return EnvFilter::builder().parse(filter).map_err(|source| LoggingError::Filter { name, source });
            }
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => return Err(LoggingError::NotText { name }),
        }
    }
    let level = level(verbosity);
    let others = level.min(LevelFilter::WARN);
    let directives = NOISY.iter().map(|library| format!(",{library}={others}")).collect::<String>();
    Ok(EnvFilter::new(format!("{level}{directives}")))
}

fn level(verbosity: i8) -> LevelFilter {
    match verbosity {
        ..=-3 => LevelFilter::OFF,
        -2 => Level::ERROR.into(),
        -1 => Level::WARN.into(),
        0 => Level::INFO.into(),
        1 => Level::DEBUG.into(),
        2.. => Level::TRACE.into(),
    }
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    match format {
        LogFormat::Text => Box::new(lines.compact().with_target(false).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn unset(_: &str) -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    fn logged(format: LogFormat, filter: EnvFilter, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(subscriber(format, filter, false, move || writer.clone()), act);
        String::from_utf8(lines.0.lock().clone()).unwrap()
    }

    fn some_lines() {
        tracing::info!(pipeline = "traces", "serving");
        tracing::debug!("looking");
        tracing::info!(target: "h2::codec", "frame");
        tracing::warn!(target: "h2::codec", "goaway");
    }

    #[test]
    fn text_has_level_message_and_fields_and_libraries_only_warn() {
        let text = logged(LogFormat::Text, filter(0, unset).unwrap(), some_lines);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with("INFO serving pipeline=\"traces\""), "{text}");
        assert!(lines[1].ends_with("WARN goaway"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(LogFormat::Json, filter(0, unset).unwrap(), some_lines);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["level"], &first["message"], &first["pipeline"]),
            (&"INFO".into(), &"serving".into(), &"traces".into())
        );
    }

    #[test]
    fn each_v_and_q_is_a_level() {
        let count = |verbosity| logged(LogFormat::Text, filter(verbosity, unset).unwrap(), some_lines).lines().count();
        assert_eq!((count(-3), count(-2), count(-1), count(0), count(1)), (0, 0, 1, 2, 3));
    }

    #[test]
    fn the_own_variable_goes_before_rust_log_and_both_before_flags() {
        let own = filter(0, |name| Ok(if name == "SLUICEBOX_LOG" { "off" } else { "trace" }.to_owned())).unwrap();
        assert_eq!(logged(LogFormat::Text, own, some_lines), "");
        let rust = filter(-3, |name| if name == "RUST_LOG" { Ok("trace".to_owned()) } else { unset(name) }).unwrap();
        assert_eq!(logged(LogFormat::Text, rust, some_lines).lines().count(), 4);
    }

    #[test]
    fn a_filter_that_is_none_names_its_variable() {
        let error = filter(0, |_| Ok("sluicebox=loud".to_owned())).unwrap_err();
        assert!(error.to_string().starts_with("the variable SLUICEBOX_LOG holds no log filter"), "{error}");
    }
}
