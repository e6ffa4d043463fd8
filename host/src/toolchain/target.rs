//! What guests in Rust are compiled for.
//!
//! Invariant: nobody else writes the name of a target or of a variable that belongs to one.

/// Chosen by a plugin's manifest, with `[package.metadata.sickbay] target = "..."`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The whole standard library, over WASI. What a plugin gets that chooses nothing.
    #[default]
    Wasi,
    /// The contract and no WASI, so there is none to set up for each run. The standard library has no clock and no output there.
    Bare,
}

impl Target {
    /// The default first.
    pub const ALL: [Target; 2] = [Target::Wasi, Target::Bare];

    /// Rust's name of it.
    pub const fn triple(self) -> &'static str {
        match self {
            Target::Wasi => "wasm32-wasip2",
            Target::Bare => "wasm32-unknown-unknown",
        }
    }

    /// The target of that name, where guests may be compiled for it.
    pub fn of_triple(triple: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.triple() == triple)
    }

    /// Where cargo takes the compiler's flags for it from.
    pub(super) const fn flags_variable(self) -> &'static str {
        match self {
            Target::Wasi => "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            Target::Bare => "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
        }
    }

    /// Where cargo takes its linker from.
    pub(super) const fn linker_variable(self) -> &'static str {
        match self {
            Target::Wasi => "CARGO_TARGET_WASM32_WASIP2_LINKER",
            Target::Bare => "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
        }
    }

    /// The linker for it that rustup's toolchains bring.
    pub(super) const fn linker(self) -> &'static str {
        match self {
            Target::Wasi => "wasm-component-ld",
            Target::Bare => "rust-lld",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_by_its_name_and_no_other_is() {
        for target in Target::ALL {
            assert_eq!(Target::of_triple(target.triple()), Some(target));
        }
        for other in ["wasm32-wasip1", "x86_64-unknown-linux-gnu", "WASM32-WASIP2", ""] {
            assert_eq!(Target::of_triple(other), None, "{other:?}");
        }
    }

    #[test]
    fn cargos_variables_are_spelled_from_the_name() {
        for target in Target::ALL {
            let spelled = target.triple().to_uppercase().replace('-', "_");
            assert_eq!(target.flags_variable(), format!("CARGO_TARGET_{spelled}_RUSTFLAGS"));
            assert_eq!(target.linker_variable(), format!("CARGO_TARGET_{spelled}_LINKER"));
        }
    }
}
