//! Shared values: one form each, and a reason for every refusal.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use domain::values::{
    Address, Algorithm, Amount, AppHash, Bps, ChainId, Contact, Digest, Epoch, Hash, Height, Label,
    Memo, Moment, Moniker, Nonce, Operator, POWER_TOTAL_MAX, Power, PublicKey, Reason, Round,
    Signature, ValueError, Website, is_quorum,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::fixture::public_key;

/// A text is accepted, shown and stored as itself.
fn kept<T>(text: &str)
where
    T: FromStr<Err = ValueError> + Display + Serialize + DeserializeOwned + PartialEq,
    T: std::fmt::Debug,
{
    let value: T = text.parse().unwrap();
    assert_eq!(value.to_string(), text);
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(json.trim_matches('"'), text);
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
}

/// A text is refused, and the refusal shows what was found.
fn refused<T: FromStr<Err = ValueError> + std::fmt::Debug>(text: &str) {
    let fault = text.parse::<T>().expect_err(text);
    assert!(fault.to_string().contains("; found \""), "{fault}");
}

#[test]
fn numbers_have_one_form_and_no_sign() {
    kept::<Height>("1");
    kept::<Height>("9223372036854775807");
    kept::<Epoch>("0");
    kept::<Power>("9223372036854775807");
    kept::<Amount>("340282366920938463463374607431768211455");
    for wrong in ["", "0", "-1", "+1", "01", "1.0", "1e3", " 1", "9223372036854775808", "١"] {
        refused::<Height>(wrong);
    }
    for wrong in ["", "-1", "00", "0x1", "9223372036854775808", "18446744073709551616"] {
        refused::<Epoch>(wrong);
        refused::<Power>(wrong);
    }
    refused::<Amount>("340282366920938463463374607431768211456");
    refused::<Round>("2147483648");
    refused::<Bps>("10001");
}

#[test]
fn big_numbers_are_strings_in_json_and_small_ones_numbers() {
    assert_eq!(serde_json::to_string(&Height::FIRST).unwrap(), "\"1\"");
    assert_eq!(serde_json::to_string(&Bps::WHOLE).unwrap(), "10000");
    assert_eq!(serde_json::to_string(&Round::default()).unwrap(), "0");
    for wrong in ["1", "1.5", "null", "[]"] {
        assert!(serde_json::from_str::<Height>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Amount>(wrong).is_err(), "{wrong}");
    }
    for wrong in ["10001", "-1", "1.5", "\"1\"", "18446744073709551616"] {
        assert!(serde_json::from_str::<Bps>(wrong).is_err(), "{wrong}");
    }
    assert!(serde_json::from_str::<Round>("2147483648").is_err());
}

#[test]
fn texts_keep_their_rules() {
    kept::<ChainId>("cosmoshub-4_a.B");
    kept::<Moniker>("Nordstern ⭐");
    kept::<Website>("https://north.example/a?b=c");
    kept::<Contact>("Ops, 24 hours: ops@north.example");
    kept::<Reason>("why not");
    kept::<Operator>("principal-0190");
    for wrong in ["", "a b", "a/b", "ä", &"a".repeat(51)] {
        refused::<ChainId>(wrong);
    }
    for wrong in ["", " a", "a ", "a\nb", "a\u{0}b", &"ä".repeat(71), &"a".repeat(100_000)] {
        refused::<Moniker>(wrong);
    }
    for wrong in ["", "ftp://a", "https://", "https:// a", "http://a b", "javascript:alert(1)"] {
        refused::<Website>(wrong);
    }
    refused::<Operator>("two words");
    assert_eq!("ä".repeat(70).parse::<Moniker>().unwrap().as_str().chars().count(), 70);
}

#[test]
fn what_transactions_carry_keeps_its_rules() {
    kept::<Nonce>("0");
    kept::<Nonce>("9223372036854775807");
    refused::<Nonce>("9223372036854775808");
    assert_eq!(Nonce::FIRST.next().value(), 1);
    kept::<Memo>(" with spaces, ⚖ ");
    kept::<Label>("tender 2026-17");
    kept::<Algorithm>("sha-256");
    kept::<Digest>("A0DE");
    for wrong in ["", "a\nb", &"ä".repeat(129)] {
        refused::<Memo>(wrong);
    }
    for wrong in ["", " a", &"a".repeat(141)] {
        refused::<Label>(wrong);
    }
    for wrong in ["", "SHA-256", "sha 256", &"a".repeat(33)] {
        refused::<Algorithm>(wrong);
    }
    for wrong in ["", "A", "0x", &"A".repeat(130)] {
        refused::<Digest>(wrong);
    }
    assert_eq!("a0de".parse::<Digest>().unwrap().to_string(), "A0DE");
}

#[test]
fn a_long_refused_text_is_shortened() {
    let fault = "x".repeat(10_000).parse::<ChainId>().unwrap_err();
    assert!(fault.to_string().len() < 200);
}

#[test]
fn bytes_have_one_written_form_and_hex_is_read_in_either_case() {
    let text = "D5B865BA26FDF5285105626B708E8556809737F7";
    kept::<Address>(text);
    assert_eq!(text.to_lowercase().parse::<Address>().unwrap().to_string(), text);
    kept::<Hash>("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855");
    kept::<AppHash>("");
    kept::<AppHash>("A0DE");
    kept::<Signature>(
        "10trEp+gNBUpuISA8BlVNaD7yCHv82AjvuGp3Ze6c+Lln04S0+KskJeaUPzT+px/gwwP068UKTe4Ww2vdytkBg==",
    );
    for wrong in ["", "D5", "G5B865BA26FDF5285105626B708E8556809737F7", &format!("{text}00")] {
        refused::<Address>(wrong);
    }
    refused::<AppHash>("A");
    refused::<AppHash>(&"A".repeat(130));
    refused::<Signature>("AAAA");
    refused::<Signature>(&"A".repeat(1_000));
}

#[test]
fn the_address_of_a_key_is_cometbfts() {
    // From the validator set of a running node.
    let key: PublicKey = "B5pejcSXafZMJItPewOx4gOZrUqFiJffHxZ5n8Gwvug=".parse().unwrap();
    assert_eq!(key.address().to_string(), "D5B865BA26FDF5285105626B708E8556809737F7");
}

#[test]
fn keys_of_small_order_and_second_encodings_are_refused() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    // The eight points of small order, in their canonical encodings and in the others there are.
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for hex in small {
        refused::<PublicKey>(&STANDARD.encode(hex::decode(hex).unwrap()));
    }
    // y = p + 3 names the same point as y = 3.
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xf0, 0x7f);
    refused::<PublicKey>(&STANDARD.encode(second));
    let mut first = [0; 32];
    first[0] = 3;
    kept::<PublicKey>(&STANDARD.encode(first));
    // y = 2 is the y of no point.
    let mut none = [0; 32];
    none[0] = 2;
    refused::<PublicKey>(&STANDARD.encode(none));
}

#[test]
fn moments_are_written_with_six_digits_and_read_in_any_zone() {
    kept::<Moment>("2026-01-31T09:00:00.000000Z");
    kept::<Moment>("0001-01-01T00:00:00.000000Z");
    kept::<Moment>("9999-12-31T23:59:59.999999Z");
    kept::<Moment>("1969-12-31T23:59:59.999999Z");
    let read = |text: &str| text.parse::<Moment>().unwrap().to_string();
    assert_eq!(read("2026-01-31T10:30:00.123456999+01:30"), "2026-01-31T09:00:00.123456Z");
    assert_eq!(read("1969-12-31T23:59:59.999999999Z"), "1969-12-31T23:59:59.999999Z");
    for wrong in ["", "now", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T09:00:00"] {
        refused::<Moment>(wrong);
    }
}

#[test]
fn a_quorum_is_strictly_more_than_two_thirds() {
    assert!(!is_quorum(2, 3));
    assert!(is_quorum(3, 4));
    assert!(!is_quorum(0, 0));
    assert!(!is_quorum(u64::MAX / 3 * 2, u64::MAX));
    assert!(is_quorum(u64::MAX / 3 * 2 + 1, u64::MAX));
}

#[test]
fn heights_and_epochs_agree_about_where_an_epoch_begins() {
    let height = |number| Height::new(number).unwrap();
    assert_eq!(height(1).epoch(32), Epoch::FIRST);
    assert_eq!(height(32).epoch(32), Epoch::FIRST);
    assert_eq!(height(33).epoch(32).value(), 1);
    assert_eq!(Epoch::new(1).unwrap().first_height(32), Some(height(33)));
    assert_eq!(Epoch::new(1).unwrap().last_height(32), Some(height(64)));
    let last = Epoch::new(i64::MAX.unsigned_abs()).unwrap();
    assert_eq!((last.first_height(32), last.last_height(32)), (None, None));
    assert_eq!(height(i64::MAX.unsigned_abs()).next(), None);
}

proptest! {
    #[test]
    fn every_number_survives_being_written(
        number: u64,
        units: u128,
        bytes: [u8; 32],
        sig: [[u8; 32]; 2],
    ) {
        let number = number >> 1;
        prop_assert_eq!(Epoch::new(number).unwrap().to_string().parse(), Epoch::new(number));
        prop_assert_eq!(Power::new(number).unwrap().to_string().parse(), Power::new(number));
        prop_assert_eq!(Amount::new(units).to_string().parse(), Ok(Amount::new(units)));
        let hash = Hash::from_bytes(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
        let signature = Signature::from_bytes(sig.concat().try_into().unwrap());
        prop_assert_eq!(signature.to_string().parse(), Ok(signature));
    }

    #[test]
    fn every_moment_survives_being_written_and_is_what_chrono_says(micros: i64) {
        let moment = Moment::from_micros(micros);
        prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        let chrono: DateTime<Utc> = moment.into();
        prop_assert_eq!(chrono.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), moment.to_string());
        prop_assert_eq!(Moment::from(chrono), moment);
    }

    #[test]
    fn a_part_is_rounded_down_and_exact(
        units in 0_u128..u128::MAX / 10_000,
        points in 0_u16..=10_000,
    ) {
        let part = Bps::try_from(points).unwrap().of(Amount::new(units));
        prop_assert_eq!(part.value(), units * u128::from(points) / 10_000);
    }

    #[test]
    fn a_part_is_never_more_than_the_whole(units: u128, points in 0_u16..=10_000) {
        prop_assert!(Bps::try_from(points).unwrap().of(Amount::new(units)).value() <= units);
        prop_assert_eq!(Bps::WHOLE.of(Amount::new(units)), Amount::new(units));
    }

    #[test]
    fn no_text_whatever_brings_a_parser_down(text: String) {
        let _ = text.parse::<Height>();
        let _ = text.parse::<Amount>();
        let _ = text.parse::<Moment>();
        let _ = text.parse::<Website>();
        let _ = text.parse::<PublicKey>();
        let _ = text.parse::<AppHash>();
        let _ = text.parse::<domain::chain::ChainStream>();
    }

    #[test]
    fn power_never_exceeds_what_sql_and_cometbft_hold(units: u128, reduction: u128) {
        let power = Amount::new(units).power(Amount::new(reduction));
        prop_assert!(power.value() <= i64::MAX.unsigned_abs());
    }
}

#[test]
fn the_greatest_total_power_is_cometbfts() {
    assert_eq!(POWER_TOTAL_MAX, 1_152_921_504_606_846_975);
}

#[test]
fn streams_of_chains_are_named_by_chain_and_epoch() {
    let stream: domain::chain::ChainStream = "cosmos-hub-4-17".parse().unwrap();
    assert_eq!((stream.chain.as_str(), stream.epoch.value()), ("cosmos-hub-4", 17));
    assert_eq!(stream.to_string(), "cosmos-hub-4-17");
    assert!("cosmos".parse::<domain::chain::ChainStream>().is_err());
    assert!(public_key(1) != public_key(2));
}
