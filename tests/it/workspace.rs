//! What holds for the workspace itself: arrows between rooms, sizes of files, licences and banned crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--offline"]).current_dir(root()).output();
    serde_json::from_slice(&output.unwrap().stdout).unwrap()
}

#[test]
fn arrows_point_down_only() {
    let allowed = BTreeMap::from([
        ("shammah-protocol", vec![]),
        ("shammah-wire", vec!["shammah-protocol"]),
        ("shammah-engine", vec!["shammah-protocol"]),
        ("shammah-actors", vec!["shammah-protocol"]),
    ]);
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let Some(allowed) = allowed.get(package["name"].as_str().unwrap()) else { continue };
        let dependencies = package["dependencies"].as_array().unwrap().iter().map(|dependency| dependency["name"].as_str().unwrap());
        for name in dependencies.filter(|name| name.starts_with("shammah")) {
            assert!(allowed.contains(&name), "{} must not know {name}", package["name"]);
        }
    }
    let actors = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "shammah-actors").unwrap();
    for dependency in actors["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        assert!(!["axum", "hyper", "candle-core", "rusqlite", "reqwest"].contains(&name), "actors know no {name}");
    }
}

#[test]
fn licences_are_permissive_and_banned_crates_are_absent() {
    const PERMISSIVE: [&str; 14] = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "Unlicense",
        "0BSD",
        "CC0-1.0",
        "BSL-1.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT-0",
        "CDLA-Permissive-2.0",
    ];
    const BANNED: [&str; 6] = ["onig", "onig_sys", "openssl", "openssl-sys", "aws-lc-rs", "native-tls"];
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(!BANNED.contains(&name), "{name} is banned");
        let Some(licence) = package["license"].as_str() else { continue };
        let fits = |choice: &str| choice.split(" AND ").all(|part| PERMISSIVE.contains(&part.trim().trim_matches(['(', ')'])));
        let licence = licence.replace('/', " OR ");
        assert!(licence.split(" OR ").any(fits), "{name} is under {licence}");
    }
}

#[test]
fn files_stay_small_and_no_file_is_called_mod() {
    let mut folders = vec![root().join("src"), root().join("actors"), root().join("crates"), root().join("tests")];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 500, "{} has {lines} lines", path.display());
                assert_ne!(path.file_name().unwrap(), "mod.rs");
                seen.insert(path);
            }
        }
    }
    assert!(seen.len() > 50);
}
