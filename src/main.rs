//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    spc::cli::main()
}
