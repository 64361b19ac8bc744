//! Every input of the corpora, and of what fuzzing once found, through its check.

use std::path::Path;

#[test]
fn every_input_that_was_kept_passes() {
    for (target, check) in sluicebox_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= 3, "{target} has no corpus");
        for input in inputs {
            // Told in the output of a test that fails.
            println!("{}", input.display());
            check(&std::fs::read(&input).unwrap());
        }
    }
}
