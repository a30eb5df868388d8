//! Builds the program again when a migration is added: the compiler does not see new files itself.
//!
//! Does not know what the migrations do.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
