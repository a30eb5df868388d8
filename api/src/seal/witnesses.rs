//! Witnesses: others who see the log grow, and say so (`tlog-witness`, `tlog-cosignature`).
//!
//! Does not publish. What a witness says counts only with its signature; that it has seen more than
//! we have, or something else, is told apart from its not answering.

use std::{fmt, str::FromStr, sync::Mutex, time::Duration};

use evidence::{
    Hash, Keys, Role, Source, Submission, VerifierKey,
    proof::{self, Tiles},
};
use futures::future::join_all;
use reqwest::{Client, StatusCode, Url};

/// How long a witness may take to answer, in milliseconds.
const ANSWER_MS_MAX: u64 = 5_000;
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How often a witness is asked again that knows the log at another size than we thought.
const TRIES_MAX: u32 = 3;

/// A witness of ours: its key, and the address below which it takes checkpoints. Written as
/// `<key>@<address>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// By what its cosignatures are verified.
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: Url,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key, self.url)
    }
}

impl FromStr for Witness {
    type Err = String;

    fn from_str(text: &str) -> Result<Witness, String> {
        let form = "<key>@<address> is expected, such as w1+c0ffee00+BM...=@https://w1.example/";
        // A name may have an @; an address as we need it has none.
        let (key, url) = text.rsplit_once('@').ok_or(form)?;
        let key: VerifierKey = key.parse().map_err(|fault| format!("{fault}; {form}"))?;
        if key.role() != Role::Cosigner {
            return Err("it is the key of a log, not of a witness (type 0x04)".to_owned());
        }
        let url = Url::parse(url).map_err(|fault| format!("{fault}; {form}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(form.to_owned());
        }
        Ok(Witness { key, url })
    }
}

impl Witness {
    /// Where checkpoints are submitted.
    fn submission(&self) -> String {
        format!("{}/add-checkpoint", self.url.as_str().trim_end_matches('/'))
    }
}

/// Who cosigns, and how many of them must.
pub struct Witnesses {
    list: Vec<Witness>,
    /// What each has cosigned last, as far as we know.
    seen: Vec<Mutex<u64>>,
    quorum: usize,
    client: Client,
}

/// What came of asking for cosignatures.
#[derive(Debug, PartialEq, Eq)]
pub enum Cosigning {
    /// Enough have cosigned: the checkpoint with their signatures.
    Done(String),
    /// Too few have, by now.
    Missing(String),
    /// One has seen what cannot be: more than there is, or another root.
    Contradicted(String),
}

/// What one witness answers.
enum Answer {
    /// Its lines.
    Cosigned(String),
    /// It knows the log at this size.
    Knows(u64),
    /// It has cosigned another root of this size.
    OtherRoot,
    /// Nothing of use, for this reason.
    Nothing(String),
}

impl Witnesses {
    /// With no witness nothing is asked for; with some, so many must cosign, most of them when it
    /// is not said how many.
    pub fn new(list: Vec<Witness>, quorum: Option<usize>) -> Result<Witnesses, reqwest::Error> {
        let most = if list.is_empty() { 0 } else { list.len() / 2 + 1 };
        let client = Client::builder().timeout(Duration::from_millis(ANSWER_MS_MAX)).build()?;
        let seen = list.iter().map(|_| Mutex::new(0)).collect();
        Ok(Witnesses { seen, quorum: quorum.unwrap_or(most).min(list.len()), list, client })
    }

    /// Who they are.
    pub fn list(&self) -> &[Witness] {
        &self.list
    }

    /// How many must cosign.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Learns what each has seen, and whether any has seen more than this checkpoint of so many
    /// entries says. So many must answer as must cosign.
    pub async fn seen(&self, checkpoint: &str, size: u64) -> Cosigning {
        let asked = self.list.iter().zip(&self.seen).map(async |(witness, seen)| {
            // Whoever has seen nothing takes it; whoever has says how much.
            let asked = Submission { old: 0, hashes: Vec::new(), checkpoint };
            match self.ask(witness, &asked).await {
                Answer::Knows(known) => {
                    *locked(seen) = known;
                    Ok(known)
                }
                Answer::Cosigned(_) => {
                    *locked(seen) = size;
                    Ok(size)
                }
                Answer::OtherRoot => Ok(0),
                Answer::Nothing(because) => Err(because),
            }
        });
        let answers = join_all(asked).await;
        let more = self.list.iter().zip(&answers).find_map(|(witness, answer)| match answer {
            Ok(known) if *known > size => Some((witness.key.name(), *known)),
            Ok(_) | Err(_) => None,
        });
        if let Some((name, known)) = more {
            return Cosigning::Contradicted(format!(
                "the witness {name} has seen {known} entries of this log, and only {size} of them \
                 are known here: the others are lost. Nothing is signed until they are there again"
            ));
        }
        let answered = answers.iter().filter(|answer| answer.is_ok()).count();
        if answered >= self.quorum {
            return Cosigning::Done(checkpoint.to_owned());
        }
        Cosigning::Missing(self.too_few(answered, "answer", &answers))
    }

    fn too_few<T>(&self, count: usize, what: &str, answers: &[Result<T, String>]) -> String {
        let reasons = self.list.iter().zip(answers).filter_map(|(witness, answer)| {
            let because = answer.as_ref().err()?;
            Some(format!("{}: {because}", witness.key.name()))
        });
        let reasons: Vec<String> = reasons.collect();
        format!(
            "{count} of {} witnesses {what}, and {} must ({})",
            self.list.len(),
            self.quorum,
            reasons.join("; ")
        )
    }

    /// Has the witnesses cosign a checkpoint of a log whose tiles are there.
    pub async fn cosign(&self, source: &Source, tree: (u64, Hash), checkpoint: &str) -> Cosigning {
        let asked = self.list.iter().zip(&self.seen);
        let asked =
            asked.map(|(witness, seen)| self.cosigned(witness, seen, source, tree, checkpoint));
        let answers = join_all(asked).await;
        let mut text = checkpoint.to_owned();
        for answer in &answers {
            match answer {
                Ok(Ok(line)) => text.push_str(line),
                Ok(Err(contradiction)) => return Cosigning::Contradicted(contradiction.clone()),
                Err(_) => {}
            }
        }
        let cosigned = answers.iter().filter(|answer| answer.is_ok()).count();
        if cosigned >= self.quorum {
            return Cosigning::Done(text);
        }
        Cosigning::Missing(self.too_few(cosigned, "have cosigned", &answers))
    }

    /// The line of one witness; or what contradicts the log; or why there is none.
    async fn cosigned(
        &self,
        witness: &Witness,
        seen: &Mutex<u64>,
        source: &Source,
        (size, root): (u64, Hash),
        checkpoint: &str,
    ) -> Result<Result<String, String>, String> {
        let name = witness.key.name();
        for _ in 0..TRIES_MAX {
            let old = *locked(seen);
            if old > size {
                return Ok(Err(format!(
                    "the witness {name} has seen {old} entries of this log, and there are {size}"
                )));
            }
            let proved = proof::consistency(Tiles { source, size }, (size, root), old).await;
            let hashes = proved.map_err(|failure| failure.to_string())?.hashes;
            match self.ask(witness, &Submission { old, hashes, checkpoint }).await {
                Answer::Cosigned(lines) => {
                    let line = own_line(witness, &lines, checkpoint)?;
                    *locked(seen) = size;
                    return Ok(Ok(line));
                }
                Answer::Knows(known) => *locked(seen) = known,
                Answer::OtherRoot => {
                    return Ok(Err(format!(
                        "the witness {name} has cosigned another root of {size} entries of this \
                         log than {root}"
                    )));
                }
                Answer::Nothing(because) => return Err(because),
            }
        }
        Err("it has seen another size each time it was asked".to_owned())
    }

    async fn ask(&self, witness: &Witness, asked: &Submission<'_>) -> Answer {
        let sent = self.client.post(witness.submission()).body(asked.to_string()).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Answer::Nothing(error.without_url().to_string()),
        };
        let status = response.status();
        let text = match short_text(response).await {
            Ok(text) => text,
            Err(because) => return Answer::Nothing(because),
        };
        match status {
            StatusCode::OK => Answer::Cosigned(text),
            StatusCode::CONFLICT => match text.trim_end().parse() {
                Ok(known) if known != asked.old => Answer::Knows(known),
                Ok(_) | Err(_) => Answer::OtherRoot,
            },
            _ => Answer::Nothing(format!("{status}: {}", text.trim_end())),
        }
    }
}

/// An answer, if it is as short as one may be.
async fn short_text(mut response: reqwest::Response) -> Result<String, String> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => {
                return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
            }
            Ok(None) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => return Err(error.without_url().to_string()),
        }
    }
}

/// Of the lines of an answer the one that is the witness's, and verifies.
fn own_line(witness: &Witness, lines: &str, checkpoint: &str) -> Result<String, String> {
    let keys: Keys = [witness.key.clone()].into_iter().collect();
    let cosigns = |line: &&str| evidence::is_signed(&format!("{checkpoint}{line}\n"), &keys);
    let line = lines.lines().find(cosigns).ok_or("its answer is not signed by its key")?;
    Ok(format!("{line}\n"))
}

fn locked(seen: &Mutex<u64>) -> std::sync::MutexGuard<'_, u64> {
    seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
