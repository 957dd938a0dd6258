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
    ComposeDifference,
    ObsoleteKey,
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
            Self::Unreadable => "a file that can't be read or is not UTF-8",
            Self::Syntax => "a syntax error; only the first one in each file",
            Self::ReservedWord => "a reserved word as a name or as an unquoted key of a map",
            Self::UndefinedVariable => {
                "a variable that is not defined, or that a function can't see"
            }
            Self::UnknownConstant => "`global::NAME` or `module::NAME` without such a constant",
            Self::UnknownModule => {
                "a name before `::` that is neither an import nor a module of spc"
            }
            Self::UnknownFunction => "a function or method that does not exist",
            Self::ArgumentCount => "a call with the wrong number of arguments",
            Self::PrivateFunction => "a call of another file's private function",
            Self::Redefinition => "a function with the name of one of spc's functions",
            Self::Import => {
                "an import that is missing, circular, outside the project, or inside a block"
            }
            Self::UnknownKey => "a key of a description or of options that does not exist",
            Self::UnknownName => {
                "a service, network, volume or secret that the description does not define"
            }
            Self::WrongValue => "a value that a description or a function's options reject",
            Self::Comparison => "a comparison of values of different types",
            Self::UnknownField => "a field that a map in the script does not have",
            Self::CapturedHandle => {
                "a closure that uses the variable on which its method is called"
            }
            Self::Interpolation => "\"${X}\" in a plain string, which inserts no value",
            Self::WeakProbe => "a health check that passes before the service accepts connections",
            Self::UnclearValue => {
                "a value in a compose file or .env that does not mean what it seems to mean"
            }
            Self::ComposeDifference => "a value that spc uses as written, but Compose does not",
            Self::ObsoleteKey => "a key that is ignored, also by Compose",
        }
    }

    /// Its severity: code that works, but not as intended, is a warning; advice about something
    /// that works as intended is a note.
    pub fn severity(self) -> Severity {
        match self {
            Self::Interpolation | Self::WeakProbe | Self::UnclearValue => Severity::Warning,
            Self::ComposeDifference | Self::ObsoleteKey => Severity::Note,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
