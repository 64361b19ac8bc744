//! Which files are replayed, and what is in them: told by their names.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Item, Sink, frames, lines};
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Refusal;

/// Larger than that of requests, since a file is the operator's own: what `zstd --ultra` writes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// A path that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is not there, or not for us to read.
    #[error("cannot replay {}", path.display())]
    Unreadable {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its name does not say what it is.
    #[error(
        "cannot replay {}: its name does not end in .json, .jsonl, .pb or .binpb (and .gz or .zst, if compressed)",
        path.display()
    )]
    Format {
        /// As configured.
        path: PathBuf,
    },
    /// Its name does not say which signal it holds.
    #[error(
        "cannot replay {}: protobuf does not say which signal it is, so the name of the file or its folder must have \
         the word traces, metrics or logs, as in traces-1.pb",
        path.display()
    )]
    Signal {
        /// As configured, or found in a folder.
        path: PathBuf,
    },
    /// A folder has nothing to replay.
    #[error("nothing to replay in {}: no file in it ends in .json, .jsonl, .pb or .binpb", path.display())]
    Empty {
        /// As configured.
        path: PathBuf,
    },
}

/// A file to replay.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub path: PathBuf,
    compression: Compression,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Json,
    Protobuf(Signal),
}

/// The files of all paths, folders opened (not those in them), in the order of their names.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<Source>, ReplayError> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |source| ReplayError::Unreadable { path: path.clone(), source };
        if !path.metadata().map_err(unreadable)?.is_dir() {
            files.push(Source::named(path)?.ok_or_else(|| ReplayError::Format { path: path.clone() })?);
            continue;
        }
        let entries = path.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
        let mut found: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        found.sort_unstable();
        let before = files.len();
        for file in found {
            files.extend(Source::named(&file)?);
        }
        if files.len() == before {
            return Err(ReplayError::Empty { path: path.clone() });
        }
    }
    Ok(files)
}

impl Source {
    /// What a file is, by its name; none if the name is of another kind.
    fn named(path: &Path) -> Result<Option<Source>, ReplayError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (compression, name) = match name.rsplit_once('.') {
            Some((name, "gz")) => (Compression::Gzip, name),
            Some((name, "zst")) => (Compression::Zstd, name),
            _ => (Compression::None, name.as_str()),
        };
        let content = match name.rsplit_once('.') {
            Some((_, "json" | "jsonl" | "ndjson")) => Content::Json,
            Some((stem, "pb" | "binpb")) => {
                let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase());
                let signal = signal_in(stem).or_else(|| signal_in(&folder?));
                Content::Protobuf(signal.ok_or_else(|| ReplayError::Signal { path: path.to_owned() })?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Source { path: path.to_owned(), compression, content }))
    }

    /// Gives every request of the file to the sink.
    pub fn read(&self, limits: &RequestLimits, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let read = self.open().and_then(|reader| match self.content {
            Content::Json => lines::read(&self.path, reader, limits, sink),
            Content::Protobuf(signal) => frames::read(&self.path, signal, reader, limits, sink),
        });
        read.unwrap_or_else(|error| {
            let content = Err(Refusal::Malformed(format!("cannot read the file: {error}")));
            sink(Item { place: self.path.display().to_string(), content })
        })
    }

    fn open(&self) -> io::Result<Box<dyn BufRead>> {
        let file = BufReader::with_capacity(64 << 10, File::open(&self.path)?);
        Ok(match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(file)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(BufReader::new(decoder))
            }
        })
    }
}

/// The signal whose name is a word of a file's name.
fn signal_in(name: &str) -> Option<Signal> {
    name.split(|char: char| !char.is_alphabetic()).find_map(|word| match word {
        "traces" | "trace" | "spans" => Some(Signal::Traces),
        "metrics" | "metric" => Some(Signal::Metrics),
        "logs" | "log" => Some(Signal::Logs),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<(Compression, Content)> {
        Source::named(Path::new(name)).unwrap().map(|source| (source.compression, source.content))
    }

    #[test]
    fn names_tell_what_files_are() {
        assert_eq!(named("/d/any.JSON"), Some((Compression::None, Content::Json)));
        assert_eq!(named("/d/a.jsonl.zst"), Some((Compression::Zstd, Content::Json)));
        assert_eq!(named("/d/my-logs_2.pb.gz"), Some((Compression::Gzip, Content::Protobuf(Signal::Logs))));
        assert_eq!(named("/metrics/catalog.binpb"), Some((Compression::None, Content::Protobuf(Signal::Metrics))));
        assert_eq!(named("/d/readme.txt"), None);
    }

    #[test]
    fn mistakes_are_told_with_their_mend() {
        let folder = tempfile::tempdir().unwrap();
        let error = |name: &str| {
            let path = folder.path().join(name);
            let text = files(&[path]).unwrap_err().to_string();
            text.replace(&folder.path().display().to_string(), "/d")
        };
        std::fs::write(folder.path().join("a.txt"), "").unwrap();
        std::fs::write(folder.path().join("b.pb"), "").unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        insta::assert_snapshot!(
            [error("nothing.json"), error("a.txt"), error("b.pb"), error("empty")].join("\n"),
            @"
        cannot replay /d/nothing.json
        cannot replay /d/a.txt: its name does not end in .json, .jsonl, .pb or .binpb (and .gz or .zst, if compressed)
        cannot replay /d/b.pb: protobuf does not say which signal it is, so the name of the file or its folder must have the word traces, metrics or logs, as in traces-1.pb
        nothing to replay in /d/empty: no file in it ends in .json, .jsonl, .pb or .binpb
        "
        );
    }
}
