//! Where answers end, and what is refused.

use shammah_protocol::{EngineError, Finish, Incarnation, Output, Pulse, Reject, Sampling};

use crate::support::{alone, job, prompt, resumed, run, tiny};

fn hot() -> Sampling {
    Sampling { temperature: 2.0, seed: 5, ..Sampling::default() }
}

#[test]
fn the_last_token_says_that_it_is_the_last() {
    let model = tiny(100);
    let answer = alone(&model, &job(&prompt(1, 10), hot(), 7));
    assert_eq!((answer.tokens.len(), answer.finish), (7, Some(Finish::Length)));
}

#[test]
fn a_job_that_has_all_its_tokens_ends_without_another() {
    let model = tiny(100);
    let job = job(&prompt(1, 10), hot(), 3);
    let answer = alone(&model, &resumed(&job, &[1, 2, 3]));
    assert_eq!((answer.tokens.len(), answer.finish), (3, Some(Finish::Length)));
}

#[test]
fn the_window_is_never_exceeded() {
    let model = tiny(100);
    let answer = alone(&model, &job(&prompt(1, 1020), hot(), 100));
    assert_eq!((answer.tokens.len(), answer.finish), (4, Some(Finish::Length)));
    let refused = model.engines.engine(Incarnation(1)).admit(&job(&prompt(1, 1024), hot(), 1));
    assert_eq!(refused, Err(Reject::TooLong { tokens: 1024, window: 1024 }));
}

#[test]
fn a_prompt_beyond_the_page_budget_is_refused_and_a_completion_ends_at_it() {
    let model = tiny(4);
    let refused = model.engines.engine(Incarnation(1)).admit(&job(&prompt(1, 64), hot(), 1));
    assert_eq!(refused, Err(Reject::NoMemory { tokens: 65, capacity: 64 }));
    let answer = alone(&model, &job(&prompt(1, 50), hot(), 1000));
    assert_eq!((answer.tokens.len(), answer.finish), (14, Some(Finish::Length)));
}

#[test]
fn end_tokens_end_an_answer_and_are_no_part_of_it() {
    let model = tiny(100);
    let ended = (0..400).find_map(|seed| {
        let answer = alone(&model, &job(&prompt(1, 5), Sampling { seed, ..hot() }, 60));
        matches!(answer.finish, Some(Finish::EndToken(_))).then_some(answer)
    });
    let answer = ended.expect("some seed draws an end token");
    assert!(!answer.tokens.iter().any(|token| Some(Finish::EndToken(*token)) == answer.finish));
}

#[test]
fn strange_jobs_are_refused() {
    let model = tiny(100);
    let mut engine = model.engines.engine(Incarnation(1));
    assert!(matches!(engine.admit(&job(&[], hot(), 5)), Err(Reject::Failed(_))));
    assert!(matches!(engine.admit(&job(&[1, 384], hot(), 5)), Err(Reject::Failed(_))));
}

#[test]
fn a_halted_engine_stops_within_the_step() {
    let model = tiny(100);
    let mut engine = model.engines.engine(Incarnation(1));
    let job = job(&prompt(1, 10), hot(), 5);
    engine.admit(&job).unwrap();
    let pulse = Pulse::default();
    assert!(matches!(engine.step(&[job.id], &pulse).unwrap()[0], Output::Token { .. }));
    assert!(pulse.ticks() >= 3, "once per layer");
    pulse.halt();
    assert!(matches!(engine.step(&[job.id], &pulse), Err(EngineError::Halted(_))));
}

#[test]
fn retired_sequences_give_their_pages_back() {
    let model = tiny(100);
    let mut engine = model.engines.engine(Incarnation(1));
    let job = job(&prompt(1, 10), hot(), 50);
    engine.admit(&job).unwrap();
    engine.step(&[job.id], &Pulse::default()).unwrap();
    assert_eq!(model.engines.pages().used, 1);
    engine.retire(job.id);
    assert_eq!(model.engines.pages().used, 0);
    assert_eq!(run(&mut *engine, &[resumed(&job, &[])], 1).len(), 1, "the engine goes on");
}
