//! The log on a simulated disk: against a model, through crashes and faults, and with mistakes made on purpose.

mod cases;
mod damage;
mod model;
mod random;
mod world;
