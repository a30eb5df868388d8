//! Check: read every event of a log and say what is wrong with it.
//!
//! Knows no appender and trusts no index: it would find what a broken appender left behind.
