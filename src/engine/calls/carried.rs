//! The pieces that the arguments of a call send to the engine, for checks of what must not be sent.

use bollard::models;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Serialize;
use serde_json::Value;

use crate::engine::{
    BuildRequest, ExecRequest, Filters, LogsRequest, RegistryAuth, StatsRequest, StopRequest,
};

/// A piece of data in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that people can read on the engine.
    Text(&'a str),
    /// A piece that may deliver a secret: a variable, an archive, a build's secret.
    Delivery(&'a [u8]),
}

/// An argument of a call. Registry credentials and streams have no pieces.
pub(super) trait Argument {
    /// Shows each piece.
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>));
}

impl<T: Argument + ?Sized> Argument for &T {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        (**self).pieces(see);
    }
}

impl<T: Argument> Argument for Option<T> {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        if let Some(argument) = self {
            argument.pieces(see);
        }
    }
}

impl<T: Argument> Argument for [T] {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        for argument in self {
            argument.pieces(see);
        }
    }
}

impl Argument for str {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        see(Piece::Text(self));
    }
}

impl Argument for String {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        see(Piece::Text(self));
    }
}

impl Argument for Filters {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        for (key, values) in self {
            see(Piece::Text(key));
            values[..].pieces(see);
        }
    }
}

impl Argument for StopRequest {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        self.signal.pieces(see);
    }
}

impl Argument for ExecRequest {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        self.command[..].pieces(see);
        self.user.pieces(see);
        self.working_dir.pieces(see);
        for variable in &self.environment {
            see(Piece::Delivery(variable.as_bytes()));
        }
    }
}

impl Argument for BuildRequest {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        self.tags[..].pieces(see);
        self.dockerfile.pieces(see);
        for text in [&self.target, &self.network, &self.platform] {
            text.pieces(see);
        }
        for (key, value) in self.args.iter().chain(&self.labels) {
            see(Piece::Text(key));
            see(Piece::Text(value));
        }
        for (id, value) in &self.secrets {
            see(Piece::Text(id));
            see(Piece::Delivery(value));
        }
    }
}

impl Argument for models::ContainerCreateBody {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        let mut body = json(self);
        if let Value::Object(fields) = &mut body {
            fields.remove("Env");
        }
        texts(&body, see);
        for variable in self.env.iter().flatten() {
            see(Piece::Delivery(variable.as_bytes()));
        }
    }
}

/// Arguments that are sent as JSON. All of it is text that people can read.
macro_rules! readable {
    ($($body:ty),*) => {$(
        impl Argument for $body {
            fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
                texts(&json(self), see);
            }
        }
    )*};
}

readable!(
    models::RestartPolicy,
    models::NetworkCreateRequest,
    models::EndpointSettings,
    models::VolumeCreateRequest
);

impl Argument for Bytes {
    fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
        see(Piece::Delivery(self));
    }
}

/// Arguments that send nothing themselves, or nothing that is checked.
macro_rules! silent {
    ($($argument:ty),*) => {$(
        impl Argument for $argument {
            fn pieces(&self, _see: &mut dyn FnMut(Piece<'_>)) {}
        }
    )*};
}

silent!(
    bool,
    i64,
    LogsRequest,
    StatsRequest,
    RegistryAuth,
    BoxStream<'static, std::io::Result<Bytes>>
);

fn json(body: &impl Serialize) -> Value {
    // Docker's models have only text keys, so this can't fail.
    serde_json::to_value(body).unwrap_or_default()
}

fn texts(value: &Value, see: &mut dyn FnMut(Piece<'_>)) {
    match value {
        Value::String(text) => see(Piece::Text(text)),
        Value::Array(values) => values.iter().for_each(|value| texts(value, see)),
        Value::Object(fields) => {
            for (key, value) in fields {
                see(Piece::Text(key));
                texts(value, see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
