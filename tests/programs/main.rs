//! Resets as programs make them that people use: servers and clients from Debian, as they are installed, and what
//! resetmon says of them. One file a program. Needs root, and runs on this machine only: the images of virtual machines
//! have none of the programs, since other kernels are what they are for.

mod forking;
mod haproxy;
mod history;
mod nginx;
mod postgresql;
mod python_requests;
mod redis;
mod stage;
