//! todo
#[derive(Debug)]
pub struct Socket;
impl Socket { pub fn new(_host: &str) -> base::Result<Self> { todo!() } }
impl crate::Transport for Socket { fn send(&self, _: crate::Request) -> base::Result<crate::Response> { todo!() } }
