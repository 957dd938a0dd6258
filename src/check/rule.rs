//! The rules of `spc check`: their names, which are stable, and their descriptions.

use std::fmt;

use strum::VariantArray as _;

use crate::model::diagnostic::Severity;

/// The subject of a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Rule {
    Unreadable,
    Syntax,
    ReservedWord,
    UndefinedVariable,
    UnknownConstant,
    UnknownModule,
    UnknownFunction,
    ArgumentCount,
    PrivateFunction,
    Redefinition,
    Import,
    UnknownKey,
    UnknownName,
    WrongValue,
    Comparison,
    UnknownField,
    CapturedHandle,
    Interpolation,
    WeakProbe,
    UnclearValue,
}

impl Rule {
    /// Every rule, in the order of the documentation.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name in findings.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Its description in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Unreadable => "a file that can't be read, or is not UTF-8",
            Self::Syntax => "what can't be parsed; one per file",
            Self::ReservedWord => "a reserved word as a name or as a bare key of a map",
            Self::UndefinedVariable => "a variable that is nowhere, or that a function doesn't see",
            Self::UnknownConstant => {
                "`global::NAME` or `module::NAME` that no constant of a top level has"
            }
            Self::UnknownModule => "a name before `::` that is no import and no module of spc",
            Self::UnknownFunction => "a function or method that is nowhere",
            Self::ArgumentCount => {
                "a function or method with another number of arguments than it takes"
            }
            Self::PrivateFunction => "a private function of another file",
            Self::Redefinition => "a function that would hide one of spc",
            Self::Import => {
                "an import that leads nowhere, outside or in a circle, or is inside a block"
            }
            Self::UnknownKey => "a key of a description or of options that nobody reads",
            Self::UnknownName => {
                "a service, network, volume or secret that the description has none of"
            }
            Self::WrongValue => "a value in a description or in options that would be refused",
            Self::Comparison => "a comparison of values of different types, where both are known",
            Self::UnknownField => "a field that a map written out in the script doesn't have",
            Self::CapturedHandle => "a closure that uses the variable whose method it is given to",
            Self::Interpolation => {
                "\"${X}\" in a plain string of a description: nothing puts a value in"
            }
            Self::WeakProbe => "a health check that passes before the service answers",
            Self::UnclearValue => {
                "a value in a compose file or .env that is another one than it looks"
            }
        }
    }

    /// Its severity: code that works, but not as intended, is a warning.
    pub fn severity(self) -> Severity {
        match self {
            Self::Interpolation | Self::WeakProbe | Self::UnclearValue => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
