//! Execs.

use super::wire;

wire! {
    /// A further process that is wanted.
    pub struct ExecConfig {
        /// Connect standard input.
        pub attach_stdin: bool,
        /// Connect standard output.
        pub attach_stdout: bool,
        /// Connect standard error.
        pub attach_stderr: bool,
        /// Height and width of the terminal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub console_size: Option<[u32; 2]>,
        /// What the client detaches with.
        pub detach_keys: String,
        /// Whether it has a terminal.
        pub tty: bool,
        /// `NAME=value`.
        pub env: Vec<String>,
        /// Command and arguments.
        pub cmd: Vec<String>,
        /// All capabilities.
        pub privileged: bool,
        /// `user[:group]`.
        pub user: String,
        /// Where it starts.
        pub working_dir: String,
    }

    /// What the creation of an exec answers.
    pub struct ExecCreated {
        /// Of the exec.
        pub id: String,
    }

    /// How to start an exec.
    pub struct ExecStart {
        /// Without a client.
        pub detach: bool,
        /// As at its creation.
        pub tty: bool,
        /// Height and width of the terminal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub console_size: Option<[u32; 2]>,
    }

    /// Everything of one exec.
    pub struct ExecInspect {
        /// Its id.
        #[serde(rename = "ID")]
        pub id: String,
        /// Whether it runs.
        pub running: bool,
        /// Once it has exited.
        pub exit_code: Option<i64>,
        /// What runs.
        pub process_config: ExecProcess,
        /// Whether standard input is connected.
        pub open_stdin: bool,
        /// Whether standard error is connected.
        pub open_stderr: bool,
        /// Whether standard output is connected.
        pub open_stdout: bool,
        /// Whether it can be removed.
        pub can_remove: bool,
        /// Of the container.
        #[serde(rename = "ContainerID")]
        pub container_id: String,
        /// What the client detaches with.
        pub detach_keys: String,
        /// On the host.
        pub pid: u32,
    }

    /// The process of an exec; its members are lower case on the wire.
    pub struct ExecProcess {
        /// Whether it has a terminal.
        #[serde(rename = "tty")]
        pub tty: bool,
        /// The program.
        #[serde(rename = "entrypoint")]
        pub entrypoint: String,
        /// Its arguments.
        #[serde(rename = "arguments")]
        pub arguments: Vec<String>,
        /// All capabilities.
        #[serde(rename = "privileged")]
        pub privileged: bool,
        /// `user[:group]`.
        #[serde(rename = "user", skip_serializing_if = "String::is_empty")]
        pub user: String,
    }
}
