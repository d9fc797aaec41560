//! Finished pages outlive their engine.

use shammah_protocol::{Admission, Incarnation, Job, Sampling};

use crate::support::{alone, correlation, job, prompt, run, tiny};

fn cached(model: &shammah_protocol::LoadedModel, job: &Job) -> usize {
    let Admission { cached_tokens } = model.engines.engine(Incarnation(9)).admit(job).unwrap();
    cached_tokens
}

#[test]
fn the_next_engine_finds_full_pages_and_computes_the_last_token() {
    let model = tiny(100);
    let job = job(&prompt(1, 64), Sampling::greedy(), 1);
    assert_eq!(cached(&model, &job), 0);
    alone(&model, &job);
    assert_eq!(cached(&model, &job), 48, "64 tokens fill four pages, but one token must be left");
    let usage = model.engines.pages();
    assert_eq!((usage.stored, usage.used, usage.capacity), (4, 4, 100));
}

#[test]
fn owners_do_not_share() {
    let model = tiny(100);
    let job = job(&prompt(1, 64), Sampling::greedy(), 1);
    alone(&model, &job);
    let other = Job { correlation: correlation("somebody else"), ..job.clone() };
    assert_eq!(cached(&model, &other), 0);
}

#[test]
fn eviction_removes_the_chain_and_what_follows_it() {
    let model = tiny(100);
    let long = job(&prompt(1, 96), Sampling::greedy(), 1);
    alone(&model, &long);
    let other = job(&prompt(2, 40), Sampling::greedy(), 1);
    alone(&model, &other);
    model.engines.evict(&long.prompt[..40]);
    assert_eq!(cached(&model, &long), 0);
    assert_eq!(model.engines.pages().stored, 2, "the other prompt stays");
    assert_eq!(cached(&model, &other), 32);
}

#[test]
fn fenced_engines_insert_nothing() {
    let model = tiny(100);
    model.engines.fence(Incarnation(1));
    let job = job(&prompt(1, 64), Sampling::greedy(), 1);
    alone(&model, &job);
    assert_eq!(model.engines.pages().stored, 0);
}

#[test]
fn the_least_recently_used_pages_make_room() {
    let model = tiny(8);
    for seed in 0..6 {
        alone(&model, &job(&prompt(seed, 60), Sampling::greedy(), 1));
    }
    assert!(model.engines.pages().used <= 8);
    assert_eq!(cached(&model, &job(&prompt(5, 60), Sampling::greedy(), 1)), 48);
    assert_eq!(cached(&model, &job(&prompt(0, 60), Sampling::greedy(), 1)), 0);
}

/// Pages that two sequences share come free from neither alone. With nothing else to be had, all would wait for each other.
#[test]
fn sequences_that_share_all_pages_make_room_for_the_oldest() {
    let (cramped, roomy) = (tiny(4), tiny(100));
    let shared = prompt(1, 32);
    let first = job(&[&shared[..], &prompt(2, 1)[..]].concat(), Sampling::greedy(), 1);
    alone(&cramped, &first);
    let jobs = [
        job(&prompt(3, 20), Sampling::greedy(), 20),
        job(&[&shared[..], &prompt(4, 8)[..]].concat(), Sampling::greedy(), 8),
        job(&[&shared[..], &prompt(5, 8)[..]].concat(), Sampling::greedy(), 8),
    ];
    let together = run(&mut *cramped.engines.engine(Incarnation(1)), &jobs, 3);
    let expected: Vec<_> = jobs.iter().map(|job| alone(&roomy, job)).collect();
    assert_eq!(together, expected);
}
