//! The Docker Engine API over bollard.
