// SPDX-License-Identifier: Apache-2.0
// Links libsconce.so of the installation that SCONCE_PREFIX names.
use std::{env, path::Path};

fn main() {
    let prefix = env::var("SCONCE_PREFIX").unwrap_or_else(|_| "/usr/local".into());
    for folder in ["lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"] {
        let path = Path::new(&prefix).join(folder);
        if path.join("libsconce.so").exists() {
            println!("cargo:rustc-link-search=native={}", path.display());
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", path.display());
        }
    }
    println!("cargo:rustc-link-lib=dylib=sconce");
    println!("cargo:rerun-if-env-changed=SCONCE_PREFIX");
}
