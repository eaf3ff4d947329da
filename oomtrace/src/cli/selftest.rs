use super::exit::{Failure, Status};
pub fn run<T>(_: &T) -> Result<Status, Failure> { Ok(Status::Done) }
