//! A block: proposed, judged, final or given up.

use domain::{
    aggregate::Aggregate as _,
    block::{
        Block, BlockAbandoned, BlockFinalized, BlockProposed, BlockRejected, BlockValidated, Body,
        Command, Contents, Event, FAULTS_MAX, Fault, Field, Ground, Header, Known, Offer, Past,
        Refusal, StandingName,
    },
    commit::Commit,
    evidence::{Evidence, Voter},
    light,
    values::{Hash, Power, Reason},
    vote::VoteType,
};

use crate::{
    agreement::{Chain, FOUR, at, block_known, chain_id, genesis_time, height, round},
    fixture::{address, set},
    spec::{Given, given},
};

/// A second block on a first, final one, by whose turn it is; and the chain it is made on.
fn second() -> (Contents, Ground, Chain) {
    let mut chain = Chain::new(FOUR);
    let contents = chain.block(chain.proposer(0), None);
    chain.propose(0, &contents);
    chain.all_vote(&[1, 2, 3, 4], VoteType::Prevote, 0, Some(contents.id()), 5);
    chain.all_vote(&[1, 2, 3, 4], VoteType::Precommit, 0, Some(contents.id()), 250);
    let commit = chain.started().commit();
    let next = chain.next(&contents, &set(FOUR));
    let second = next.block(next.proposer(0), commit);
    (second, next.ground.clone(), next)
}

fn spec(contents: &Contents, ground: &Ground) -> Given<Block> {
    given(block_known(contents, ground))
}

fn propose(contents: &Contents) -> Command {
    Command::Propose(Box::new(contents.clone()))
}

fn reason() -> Reason {
    "the round went on without it".parse().unwrap()
}

/// The faults that are found with a block, after the header was changed and its hashes were made to
/// agree with the body.
fn faults(
    contents: &Contents,
    ground: &Ground,
    change: &dyn Fn(&mut tendermint::block::Header),
    circumstances: &dyn Fn(&mut Known),
) -> Vec<Fault> {
    let mut header = contents.header.header().clone();
    let named = |hash: Hash| Some(tendermint::Hash::Sha256(*hash.as_bytes()));
    header.data_hash = named(contents.body.data_hash());
    header.evidence_hash = named(contents.body.evidence_hash());
    header.last_commit_hash = named(contents.body.last_commit_hash());
    change(&mut header);
    let header = Header::new(header).unwrap();
    let contents = Contents { body: contents.body.clone(), header };
    let mut known = block_known(&contents, ground);
    circumstances(&mut known);
    let proposed = given::<Block>(known).and(propose(&contents));
    match proposed.when(Command::Validate {}).events().as_slice() {
        [Event::BlockValidated(_)] => Vec::new(),
        [Event::BlockRejected(rejected)] => {
            let count = usize::try_from(rejected.faults_count).unwrap();
            assert_eq!(rejected.faults.len(), count.min(FAULTS_MAX));
            rejected.faults.clone()
        }
        other => panic!("{other:?}"),
    }
}

fn unchanged(_: &mut tendermint::block::Header) {}

fn as_it_is(_: &mut Known) {}

#[test]
fn a_block_is_recorded_under_the_hash_of_its_header() {
    let (contents, ground, chain) = second();
    let recorded =
        spec(&contents, &ground).when(propose(&contents)).then(vec![Event::BlockProposed(
            Box::new(BlockProposed {
                block_id: contents.id(),
                body: contents.body.hash(),
                body_bytes: u32::try_from(contents.body.to_protobuf().len()).unwrap(),
                chain_id: chain_id(),
                evidence: 0,
                header: contents.header.clone(),
                height: height(2),
                proposer: address(chain.proposer(0)),
                time: at(250),
                transactions: 0,
            }),
        )]);
    recorded.when(propose(&contents)).then(vec![]);
    let other = Hash::of(b"other");
    spec(&contents, &ground)
        .knowing(|known| known.id = other)
        .when(propose(&contents))
        .refused(Refusal::HashMismatch { computed: contents.header.hash(), expected: other });
}

#[test]
fn a_body_that_the_header_does_not_name_is_refused() {
    let (contents, ground, _) = second();
    let with = |change: &dyn Fn(&mut Body)| {
        let mut other = contents.clone();
        change(&mut other.body);
        spec(&contents, &ground).when(propose(&other)).refused_as("body-mismatch")
    };
    let what = |refusal: Refusal| match refusal {
        Refusal::BodyMismatch { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(what(with(&|body| body.transactions.push(Hash::of(b"1")))), "data hash");
    assert_eq!(what(with(&|body| body.last_commit = None)), "last commit hash");
    let small = spec(&contents, &ground).knowing(|known| known.parameters.block_bytes_max = 100);
    small.when(propose(&contents)).refused_as("body-too-large");
}

#[test]
fn a_good_block_is_valid_and_final_by_its_commit() {
    let (contents, ground, mut chain) = second();
    let bytes = u32::try_from(contents.to_protobuf().len()).unwrap();
    let valid = spec(&contents, &ground)
        .and(propose(&contents))
        .when(Command::Validate {})
        .then(vec![Event::BlockValidated(BlockValidated { bytes })]);
    valid.clone().when(Command::Validate {}).then(vec![]);

    chain.propose(0, &contents);
    let id = Some(contents.id());
    chain.all_vote(&[1, 2, 3], VoteType::Prevote, 0, id, 300);
    chain.all_vote(&[1, 2, 3], VoteType::Precommit, 0, id, 301);
    let commit = chain.started().commit().unwrap();
    let finalize = || Command::Finalize { commit: commit.clone() };
    let final_block =
        valid.clone().when(finalize()).then(vec![Event::BlockFinalized(BlockFinalized {
            commit: commit.clone(),
            round: round(0),
            signed_power: Power::new(30).unwrap(),
            total_power: Power::new(40).unwrap(),
        })]);
    final_block.clone().when(finalize()).then(vec![]);
    final_block
        .when(Command::Abandon { reason: reason() })
        .refused(Refusal::NotValid { standing: StandingName::Final });
    let hash = contents.header.validators_hash();
    valid
        .clone()
        .knowing(|known| known.validators = Some(set(&FOUR[..3])))
        .when(finalize())
        .refused(Refusal::ValidatorSetMissing { hash });
    spec(&contents, &ground)
        .and(propose(&contents))
        .when(finalize())
        .refused(Refusal::NotValid { standing: StandingName::Proposed });
    let last = contents.body.last_commit.clone().unwrap();
    let (found, of) = (last.block_id().hash, last.height());
    valid
        .clone()
        .when(Command::Finalize { commit: last })
        .refused(Refusal::CommitElsewhere { found, height: of });
    // A signature too few.
    let mut weak = commit.commit().clone();
    let first = weak.signatures.iter_mut().find(|entry| !entry.is_absent()).unwrap();
    *first = tendermint::block::CommitSig::BlockIdFlagAbsent;
    let weak = Command::Finalize { commit: Commit::new(weak).unwrap() };
    valid.when(weak).refused_as("commit-invalid");
}

#[test]
fn a_valid_block_that_is_not_final_can_be_given_up() {
    let (contents, ground, _) = second();
    let proposed = spec(&contents, &ground).and(propose(&contents));
    let abandon = || Command::Abandon { reason: reason() };
    proposed
        .clone()
        .when(abandon())
        .refused(Refusal::NotValid { standing: StandingName::Proposed });
    let given_up = proposed
        .and(Command::Validate {})
        .when(abandon())
        .then(vec![Event::BlockAbandoned(BlockAbandoned { reason: reason() })]);
    given_up.clone().when(abandon()).then(vec![]);
    given_up.when(Command::Validate {}).then(vec![]);
    spec(&contents, &ground).when(abandon()).refused(Refusal::NotProposed);
}

#[test]
fn what_is_not_at_hand_or_not_there_yet_refuses_the_question() {
    let (contents, ground, _) = second();
    let proposed = spec(&contents, &ground).and(propose(&contents));
    let validate = || Command::Validate {};
    let body = contents.body.hash();
    for other in [None, Some(Body::default())] {
        proposed
            .clone()
            .knowing(|known| known.body = other)
            .when(validate())
            .refused(Refusal::BodyMissing { body });
    }
    proposed
        .clone()
        .knowing(|known| known.ground = None)
        .when(validate())
        .refused(Refusal::GroundMissing);
    let at_height = |number| {
        proposed.clone().knowing(|known| known.ground.as_mut().unwrap().height = height(number))
    };
    at_height(1)
        .when(validate())
        .refused(Refusal::HeightNotReached { height: height(2), next: height(1) });
    at_height(3).when(validate()).then(vec![Event::BlockRejected(BlockRejected {
        faults: vec![Fault::HeightOver { found: height(2), next: height(3) }],
        faults_count: 1,
    })]);
}

#[test]
fn each_member_of_the_header_must_be_what_the_chain_says() {
    let (contents, ground, _) = second();
    let other = tendermint::Hash::Sha256([7; 32]);
    let field = |change: &dyn Fn(&mut tendermint::block::Header)| match faults(
        &contents, &ground, change, &as_it_is,
    )
    .as_slice()
    {
        [Fault::HeaderMismatch { field, expected, found }] => {
            assert_ne!(expected, found);
            *field
        }
        faults => panic!("{faults:?}"),
    };
    assert_eq!(field(&|h| h.version.block = 10), Field::BlockVersion);
    assert_eq!(field(&|h| h.version.app = 2), Field::AppVersion);
    assert_eq!(field(&|h| h.chain_id = "another".parse().unwrap()), Field::ChainId);
    assert_eq!(field(&|h| h.last_block_id = None), Field::LastBlockId);
    assert_eq!(field(&|h| h.app_hash = vec![1].try_into().unwrap()), Field::AppHash);
    assert_eq!(field(&|h| h.consensus_hash = other), Field::ConsensusHash);
    assert_eq!(field(&|h| h.last_results_hash = None), Field::LastResultsHash);
    assert_eq!(field(&|h| h.validators_hash = other), Field::ValidatorsHash);
    assert_eq!(field(&|h| h.next_validators_hash = other), Field::NextValidatorsHash);
    let later = tendermint::Time::from_unix_timestamp(1_767_225_600, 251_000_000).unwrap();
    assert_eq!(field(&|h| h.time = later), Field::Time);
    let stranger = tendermint::account::Id::new(*address(9).as_bytes());
    let found = faults(&contents, &ground, &|h| h.proposer_address = stranger, &as_it_is);
    assert_eq!(found, [Fault::ProposerNotInSet { proposer: address(9) }]);
}

#[test]
fn every_reason_against_a_block_is_told_at_once() {
    let (contents, ground, _) = second();
    let change = |header: &mut tendermint::block::Header| {
        header.version.app = 9;
        header.time = tendermint::Time::from_unix_timestamp(1_767_225_599, 1).unwrap();
        header.proposer_address = tendermint::account::Id::new([3; 20]);
    };
    let found = faults(&contents, &ground, &change, &as_it_is);
    let codes: Vec<_> = found
        .iter()
        .map(|fault| serde_json::to_value(fault).unwrap()["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        codes,
        [
            "header-mismatch",
            "proposer-not-in-set",
            "time-not-whole",
            "time-not-later",
            "header-mismatch"
        ]
    );
}

#[test]
fn a_time_is_the_median_of_the_last_commit_in_whole_microseconds_and_later_than_the_last() {
    let (contents, ground, _) = second();
    let with_nanos = tendermint::Time::from_unix_timestamp(1_767_225_600, 250_000_001).unwrap();
    let found = faults(&contents, &ground, &|h| h.time = with_nanos, &as_it_is);
    assert_eq!(found, [Fault::TimeNotWhole]);
    let late = |known: &mut Known| {
        known.ground.as_mut().unwrap().last.as_mut().unwrap().time = at(250);
    };
    let found = faults(&contents, &ground, &unchanged, &late);
    assert_eq!(found, [Fault::TimeNotLater { found: at(250), last: at(250) }]);
    let first = Chain::new(FOUR);
    let block = first.block(1, None);
    assert_eq!(block.header.time(), genesis_time());
    let later = |known: &mut Known| known.ground.as_mut().unwrap().genesis_time = at(1);
    let found = faults(&block, &first.ground, &unchanged, &later);
    assert_eq!(
        found,
        [Fault::HeaderMismatch {
            expected: at(1).to_string(),
            field: Field::Time,
            found: at(0).to_string(),
        }]
    );
}

#[test]
fn the_last_commit_is_a_good_one_for_the_head() {
    let (contents, ground, _) = second();
    let commit = contents.body.last_commit.clone().unwrap();
    let with = |commit: Option<Commit>| {
        let mut contents = contents.clone();
        contents.body.last_commit = commit;
        faults(&contents, &ground, &unchanged, &as_it_is)
    };
    assert_eq!(with(None), [Fault::LastCommitMissing]);
    let changed = |change: &dyn Fn(&mut tendermint::block::Commit)| {
        let mut inner = commit.commit().clone();
        change(&mut inner);
        with(Some(Commit::new(inner).unwrap()))
    };
    let (expected, found) = (commit.block_id().hash, commit.block_id().hash);
    assert_eq!(
        changed(&|commit| commit.height = 7_u32.into()),
        [Fault::LastCommitElsewhere { expected, found, height: height(7) }]
    );
    let fault = |faults: Vec<Fault>| match faults.as_slice() {
        [Fault::LastCommitInvalid { fault }] => fault.code(),
        other => panic!("{other:?}"),
    };
    // The round is not in the commit's hash: only the signatures tell.
    assert_eq!(fault(changed(&|commit| commit.round = 1_u16.into())), "signature-invalid");
    assert_eq!(fault(changed(&|commit| commit.signatures.swap(0, 1))), "signature-out-of-order");
    let absent = tendermint::block::CommitSig::BlockIdFlagAbsent;
    let two = changed(&|commit| commit.signatures[..2].fill(absent.clone()));
    assert_eq!(fault(two), "quorum-missing");
    let first = Chain::new(FOUR);
    let mut block = first.block(1, None);
    block.body.last_commit = Some(commit.clone());
    let found = faults(&block, &first.ground, &unchanged, &as_it_is);
    assert_eq!(found, [Fault::LastCommitUnexpected]);
    let missing = ground.build(Body::default(), address(1), &Default::default());
    assert_eq!(missing.unwrap_err(), Fault::LastCommitMissing);
}

#[test]
fn every_transaction_is_known_valid_and_there_once() {
    let (mut contents, ground, _) = second();
    let [one, two, three] = [b"1", b"2", b"3"].map(|bytes| Hash::of(bytes));
    contents.body.transactions = vec![one, two, three, two];
    let offer = |fault: Option<&str>| Offer { bytes: 200, fault: fault.map(str::to_owned) };
    let sentence = "balance 40 is less than 55";
    let some = |known: &mut Known| {
        known.transactions.insert(one, offer(None));
        known.transactions.insert(two, offer(Some(sentence)));
    };
    assert_eq!(
        faults(&contents, &ground, &unchanged, &some),
        [
            Fault::TransactionInvalid { hash: two, sentence: sentence.to_owned() },
            Fault::TransactionUnknown { hash: three },
            Fault::TransactionTwice { hash: two },
        ]
    );
    contents.body.transactions = vec![one, two, three];
    let bytes = u32::try_from(contents.to_protobuf().len()).unwrap() + 3 * 200;
    let all = |known: &mut Known| {
        known.transactions.extend([one, two, three].map(|hash| (hash, offer(None))));
        known.parameters.block_txs_max = 2;
        known.parameters.block_bytes_max = bytes - 1;
    };
    let found = faults(&contents, &ground, &unchanged, &all);
    let maximum = bytes - 1;
    assert_eq!(
        found[1..],
        [
            Fault::TooManyTransactions { found: 3, maximum: 2 },
            Fault::TooLarge { found: bytes.to_string(), maximum },
        ]
    );
    // The limits are named in the header, too.
    assert!(matches!(found[0], Fault::HeaderMismatch { field: Field::ConsensusHash, .. }));
}

#[test]
fn more_faults_than_are_listed_are_counted() {
    let (mut contents, ground, _) = second();
    contents.body.transactions = (0..500_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
    let found = faults(&contents, &ground, &unchanged, &as_it_is);
    assert_eq!(found.len(), FAULTS_MAX);
    let long = "x".repeat(200);
    let worst = |known: &mut Known| {
        for hash in &contents.body.transactions {
            let fault = Some(long.clone());
            known.transactions.insert(*hash, Offer { bytes: 1, fault });
        }
    };
    let rejected =
        BlockRejected { faults: faults(&contents, &ground, &unchanged, &worst), faults_count: 500 };
    let bytes = serde_json::to_vec(&Event::BlockRejected(rejected)).unwrap().len();
    assert!(bytes < 65_535 - 2_000, "{bytes} bytes");
}

#[test]
fn evidence_in_a_block_proves_something_that_is_new_and_not_too_old() {
    let (mut contents, ground, chain) = second();
    let last = ground.last.clone().unwrap();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    let votes = [Some(last.block_id), None]
        .map(|id| crate::agreement::vote(2, height(1), VoteType::Precommit, 0, id, at(9)));
    let of = |time| Evidence::of(height(1), &votes[0], &votes[1], &voter, time);
    let (good, wrong) = (of(genesis_time()), of(at(1)));
    let past = |known: &mut Known| {
        let validators = set(FOUR);
        known.past.insert(height(1), Past { time: genesis_time(), validators });
    };
    contents.body.evidence = vec![good.clone()];
    assert_eq!(faults(&contents, &ground, &unchanged, &past), []);
    let evidence = good.hash();
    let spent = |known: &mut Known| {
        past(known);
        known.punished.insert(evidence);
    };
    assert_eq!(
        faults(&contents, &ground, &unchanged, &spent),
        [Fault::EvidencePunished { evidence }]
    );
    assert_eq!(
        faults(&contents, &ground, &unchanged, &as_it_is),
        [Fault::EvidenceNotFinal { evidence, height: height(1) }]
    );
    let found = faults(&contents, &ground, &unchanged, &|known| {
        past(known);
        known.parameters.evidence_age_blocks_max = 0;
    });
    assert_eq!(found, [Fault::EvidenceExpired { evidence, height: height(1), maximum: 0 }]);
    let found = faults(&contents, &ground, &unchanged, &|known| {
        past(known);
        known.past.get_mut(&height(1)).unwrap().validators = set(&[(1, 10)]);
    });
    let fault = domain::evidence::Fault::NotInSet { voter: address(2) };
    assert_eq!(found, [Fault::EvidenceInvalid { evidence, fault }]);
    contents.body.evidence = vec![good.clone(), good, wrong.clone()];
    let found = faults(&contents, &ground, &unchanged, &past);
    let fault = domain::evidence::Fault::TimeMismatch { expected: genesis_time(), found: at(1) };
    let invalid = Fault::EvidenceInvalid { evidence: wrong.hash(), fault };
    assert_eq!(found, [Fault::EvidenceTwice { evidence }, invalid]);
    // The height that is being decided has no block whose time could be named.
    let own = [None, Some(contents.id())].map(|id| chain.vote(2, VoteType::Prevote, 0, id, 9));
    let own = Evidence::of(height(2), &own[0], &own[1], &voter, at(250));
    let evidence = own.hash();
    contents.body.evidence = vec![own];
    let found = faults(&contents, &ground, &unchanged, &|known| {
        known.past.insert(height(2), Past { time: at(250), validators: set(FOUR) });
    });
    assert_eq!(found, [Fault::EvidenceNotFinal { evidence, height: height(2) }]);
}

#[test]
fn the_same_header_with_another_form_of_its_body_is_refused() {
    let (contents, ground, _) = second();
    let mut other = contents.clone();
    let mut commit = contents.body.last_commit.as_ref().unwrap().commit().clone();
    commit.round = 1_u16.into();
    other.body.last_commit = Some(Commit::new(commit).unwrap());
    assert_eq!(other.body.last_commit_hash(), contents.body.last_commit_hash());
    assert_ne!(other.id(), contents.id());
    spec(&contents, &ground)
        .and(propose(&contents))
        .when(propose(&other))
        .refused(Refusal::BodyDiffers { found: other.body.hash(), recorded: contents.body.hash() });
}

/// One event of each name.
pub fn one_of_each() -> Vec<Event> {
    let (contents, ground, mut chain) = second();
    let mut events = Vec::new();
    let mut does = |block: &mut Block, command: Command, known: &Known| {
        let happened = block.decide(&command, known).unwrap();
        happened.iter().for_each(|event| block.evolve(event));
        events.extend(happened);
    };
    let known = block_known(&contents, &ground);
    let mut block = Block::default();
    does(&mut block, propose(&contents), &known);
    let mut wrong = block.clone();
    does(&mut block, Command::Validate {}, &known);
    let mut given_up = block.clone();
    let mut elsewhere = known.clone();
    elsewhere.ground.as_mut().unwrap().app_hash = "00".parse().unwrap();
    does(&mut wrong, Command::Validate {}, &elsewhere);
    chain.propose(0, &contents);
    chain.all_vote(&[1, 2, 3], VoteType::Precommit, 0, Some(contents.id()), 301);
    let commit = chain.started().commit().unwrap();
    does(&mut block, Command::Finalize { commit }, &known);
    does(&mut given_up, Command::Abandon { reason: reason() }, &known);
    events
}

/// One command of each name, as the contract shows them.
pub fn examples() -> Vec<serde_json::Value> {
    let (mut contents, ground, _) = second();
    let commit = contents.body.last_commit.clone().unwrap();
    contents.body.transactions = vec![Hash::of(b"1"), Hash::of(b"2")];
    let contents =
        ground.build(contents.body, contents.header.proposer(), &Default::default()).unwrap();
    let commands = [
        propose(&contents),
        Command::Validate {},
        Command::Finalize { commit },
        Command::Abandon { reason: reason() },
    ];
    commands.iter().map(|command| serde_json::to_value(command).unwrap()).collect()
}

#[test]
fn a_made_block_passes_the_light_clients_checks() {
    let (contents, _, mut chain) = second();
    chain.propose(0, &contents);
    chain.all_vote(&[1, 2, 3], VoteType::Precommit, 0, Some(contents.id()), 301);
    let commit = chain.started().commit().unwrap();
    let signed = tendermint::block::signed_header::SignedHeader::new(
        contents.header.header().clone(),
        commit.commit().clone(),
    );
    let signed = light::SignedHeader::new(signed.unwrap()).unwrap();
    assert_eq!(light::verify_commit(&signed, &set(FOUR)).unwrap().signed, 30);
}
