//! Parses, runs, and turns the outcome into an exit code.

use std::{
    io::{self, BufWriter, IsTerminal, Write as _},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::ColorChoice;
use jiff::{Zoned, tz::TimeZone};
use resetmon::{
    actor,
    agent::{self, AgentError},
    capture::CaptureOptions,
    catalogue::Language,
    cli::{Args, Command, history::QueryArgs},
    client::ClientError,
    config::{
        self, AgentConfig, ConfigError, DoctorConfig, QueryConfig, RunConfig, WatchConfig,
        arguments::{self, ArgumentsError},
    },
    demo, doctor,
    exit::Exit,
    explain::{self, ExplainError, Subject},
    kernel::error::KernelError,
    manual::{self, ManualError},
    notice::{Chain, tell},
    output::{self, Color, Context, page::Layout},
    pid_namespace,
    query::{self, QueryError},
    run::{self, launch, user::UserError},
    signals::Shutdown,
    watch::{self, WatchError},
};

fn main() -> ExitCode {
    let args = match arguments::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(ArgumentsError::CommandLine(error)) => error.exit(),
        Err(error) => {
            tell(Chain(&error));
            return Exit::Failed.into();
        }
    };
    match run(&args) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(Chain(error.as_ref()));
            let kernel = kernel_error(&error);
            let of_user = error.downcast_ref::<UserError>().is_some_and(UserError::is_permission);
            let client = client_error(&error);
            let explain = error.downcast_ref::<ExplainError>();
            let query = error.downcast_ref::<QueryError>();
            let of_history = query.is_some_and(QueryError::is_permission)
                || explain.is_some_and(ExplainError::is_permission);
            let is_permission = of_user
                || of_history
                || kernel.is_some_and(KernelError::is_permission)
                || client.is_some_and(ClientError::is_permission);
            if let Some(advice) = kernel.and_then(KernelError::advice) {
                tell(advice);
            }
            let advice = explain
                .and_then(ExplainError::advice)
                .or(query.and_then(QueryError::advice))
                .or(client.and_then(ClientError::advice));
            if let Some(advice) = advice {
                tell(advice);
            }
            if is_permission && matches!(args.command, Command::Run(_)) {
                tell(format_args!("this would work: {}", run::with_sudo(std::env::args_os())));
            }
            ExitCode::from(match explain {
                Some(ExplainError::NoHistory(_)) => Exit::NoAgent,
                _ if matches!(error.downcast_ref(), Some(WatchError::AgentEnded)) => Exit::NoAgent,
                _ if client.is_some_and(ClientError::is_absence) => Exit::NoAgent,
                _ if matches!(error.downcast_ref(), Some(ManualError::UnknownCommand { .. })) => Exit::Usage,
                _ if error.is::<ConfigError>() => Exit::Usage,
                _ if is_permission => Exit::NoPermission,
                _ => Exit::Failed,
            })
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // What waits for nothing but its input ends at the first signal, as any filter does.
    match &args.command {
        Command::Actor(actor) => {
            actor::run(&actor.name, io::stdin().lock(), io::stdout().lock())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Explain(explain) => {
            let (context, layout) =
                (context(args.color, &io::stdout()), layout(args.color, explain.language.resolved()));
            let mut to = BufWriter::new(io::stdout().lock());
            if explain.what == Subject::Input && io::stdin().is_terminal() {
                tell("reading events as JSON from the terminal; Ctrl-D ends");
            }
            let folder = &explain.history.path;
            explain::run(
                explain.what,
                folder,
                explain.output,
                &context,
                layout,
                io::stdin().lock(),
                &mut to,
            )?;
            to.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Query(asked_for) if !asked_for.follow => {
            let mut to = BufWriter::new(io::stdout().lock());
            query::run(&asked(asked_for)?, context(args.color, &io::stdout()), &mut to)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Causes(causes) => {
            let layout = layout(args.color, causes.language.resolved());
            let mut to = BufWriter::new(io::stdout().lock());
            output::explain::causes(causes.output, layout, &mut to)?;
            to.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Completions(completions) => {
            manual::completions(completions.shell, &mut io::stdout().lock())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Man(man) => {
            let mut to = BufWriter::new(io::stdout().lock());
            if man.list {
                manual::list(&mut to)?;
            } else {
                manual::page(man.command.as_deref(), &mut to)?;
            }
            to.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Launch(launched) => return Ok(launch::become_command(launched)),
        Command::Watch(_)
        | Command::Query(_)
        | Command::Run(_)
        | Command::Agent(_)
        | Command::Demo(_)
        | Command::Doctor(_) => {}
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(run_async(args))
}

async fn run_async(args: &Args) -> anyhow::Result<ExitCode> {
    if let Command::Run(run) = &args.command {
        // Catches signals later and others, so that the command is not started with them.
        let config = RunConfig::try_from(run.as_ref())?;
        pid_namespace::tell_unless_host(&config.capture.procfs);
        return run::run(&config, context(args.color, &io::stderr())).await;
    }
    let mut shutdown = Shutdown::new().context("cannot catch signals")?;
    let context = context(args.color, &io::stdout());
    let mut to = BufWriter::new(io::stdout().lock());
    match &args.command {
        Command::Watch(args) => {
            let config = WatchConfig::try_from(args.as_ref())?;
            pid_namespace::tell_unless_host(&config.capture.procfs);
            watch::run(&config, context, &mut to, &mut shutdown).await?;
        }
        Command::Query(args) => query::follow(&asked(args)?, context, &mut to, &mut shutdown).await?,
        Command::Agent(args) => {
            let config = AgentConfig::from(args);
            if args.check_config {
                agent::check(&config)?;
                tell("the configuration is valid");
                return Ok(ExitCode::SUCCESS);
            }
            pid_namespace::tell_unless_host(&config.capture.procfs);
            agent::run(&config, context.host, &mut shutdown, agent_config).await?;
        }
        Command::Demo(args) => {
            let options = CaptureOptions::from(&args.capture);
            pid_namespace::tell_unless_host(&options.procfs);
            let language = args.language.resolved();
            return tokio::select! {
                played = demo::run(&options, context, language, &mut to) => played,
                () = shutdown.requested() => Ok(Exit::Failed.into()),
            };
        }
        Command::Doctor(args) => {
            return Ok(doctor::run(&DoctorConfig::from(args), context.color, &mut to, &mut shutdown).await?);
        }
        Command::Run(_)
        | Command::Explain(_)
        | Command::Causes(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Actor(_)
        | Command::Launch(_) => unreachable!("handled before"),
    }
    to.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What the arguments of `query` mean now and here.
fn asked(args: &QueryArgs) -> Result<QueryConfig, ConfigError> {
    QueryConfig::new(args, &Zoned::now())
}

/// What the agent shall do by the arguments of this process and the files as they are now.
fn agent_config() -> Result<AgentConfig, ArgumentsError> {
    match arguments::parse(std::env::args_os())?.command {
        Command::Agent(args) => Ok(AgentConfig::from(&args)),
        _ => unreachable!("the arguments of a process do not change"),
    }
}

fn context(choice: ColorChoice, of: &impl IsTerminal) -> Context {
    let host = nix::unistd::gethostname().unwrap_or_default();
    Context { host: Arc::from(host.to_string_lossy()), color: color(choice, of), zone: TimeZone::system() }
}

fn layout(choice: ColorChoice, language: Language) -> Layout {
    Layout { width: config::columns(io::stdout()), color: color(choice, &io::stdout()), language }
}

/// An explicit choice wins; else colours are for terminals that can show them, unless `NO_COLOR` asks for none.
fn color(choice: ColorChoice, of: &impl IsTerminal) -> Color {
    let on = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
            of.is_terminal()
                && unset("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    };
    if on { Color::On } else { Color::Off }
}

/// The kernel's part in an error.
fn kernel_error(error: &anyhow::Error) -> Option<&KernelError> {
    error.chain().find_map(|cause| {
        let of_watch = match cause.downcast_ref() {
            Some(WatchError::Kernel(error)) => Some(error),
            _ => None,
        };
        let of_agent = match cause.downcast_ref() {
            Some(AgentError::Kernel(error)) => Some(error),
            _ => None,
        };
        of_watch.or(of_agent).or_else(|| cause.downcast_ref())
    })
}

/// The agent's part in an error.
fn client_error(error: &anyhow::Error) -> Option<&ClientError> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(WatchError::Agent(error)) => Some(error),
        _ => cause.downcast_ref(),
    })
}

/// Whether nobody reads the output any more, which is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_watch = match cause.downcast_ref() {
            Some(WatchError::Output(error)) => Some(error),
            _ => None,
        };
        let of_explain = match cause.downcast_ref() {
            Some(ExplainError::Output(error)) => Some(error),
            _ => None,
        };
        let of_query = match cause.downcast_ref() {
            Some(QueryError::Output(error)) => Some(error),
            _ => None,
        };
        of_watch
            .or(of_explain)
            .or(of_query)
            .or_else(|| cause.downcast_ref())
            .is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
