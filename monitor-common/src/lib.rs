//! The bytes that the BPF programs and user space exchange: wire types, map names, sizes and the list of kernel
//! members whose offsets user space injects. Layout only: no behaviour, no knowledge of what the bytes mean to a user.
#![no_std]

pub mod layout;
pub mod members;
pub mod wire;
