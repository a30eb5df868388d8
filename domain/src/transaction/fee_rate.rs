//! What a transaction pays for each of its bytes, compared exactly.
//!
//! Does not know whether that is enough.

use std::{cmp::Ordering, fmt};

use serde::Serialize;

use crate::values::Amount;

/// A fee for a number of bytes. Ordered by the fee for each byte, without rounding.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FeeRate {
    /// How many bytes; 0 counts as 1.
    pub bytes: u32,
    /// The fee for all of them.
    pub fee: Amount,
}

impl FeeRate {
    /// The lowest there is.
    pub const ZERO: FeeRate = FeeRate { bytes: 1, fee: Amount::ZERO };

    /// Whole units for each byte, what is left of the fee, and the bytes.
    fn parts(self) -> (u128, u128, u128) {
        let bytes = u128::from(self.bytes.max(1));
        (self.fee.value() / bytes, self.fee.value() % bytes, bytes)
    }
}

impl Ord for FeeRate {
    fn cmp(&self, other: &FeeRate) -> Ordering {
        let ((whole, rest, bytes), (its_whole, its_rest, its_bytes)) =
            (self.parts(), other.parts());
        // What is left is less than the bytes, which are less than 2^32: the products fit.
        whole.cmp(&its_whole).then((rest * its_bytes).cmp(&(its_rest * bytes)))
    }
}

impl PartialOrd for FeeRate {
    fn partial_cmp(&self, other: &FeeRate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FeeRate {
    fn eq(&self, other: &FeeRate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FeeRate {}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} bytes", self.fee, self.bytes)
    }
}
