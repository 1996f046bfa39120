//! Resets as programs make them that people use: servers and clients from Debian, as they are installed, and what
//! resetmon says of them. One file a program. Needs root, and runs on this machine only: the images of virtual machines
//! have none of the programs, since other kernels are what they are for.

mod authority;
mod endpoint;
mod followers;
mod forking;
mod haproxy;
mod history;
mod monitoring;
mod nginx;
mod postgresql;
mod prometheus;
mod python_requests;
mod redis;
mod stage;
