//! Livepatches in memory made by hand.
