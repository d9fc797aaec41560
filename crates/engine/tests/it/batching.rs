//! The token at a position depends on the job alone.

use shammah_protocol::{Incarnation, Job, LoadedModel, Sampling};

use crate::support::{alone, demo, job, prompt, resumed, run, sampling, tiny};

fn jobs(count: u32, max_tokens: usize) -> Vec<Job> {
    (0..count).map(|seed| job(&prompt(seed, 5 + seed as usize * 11 % 90), sampling(seed.into()), max_tokens)).collect()
}

/// Answers of every job on its own, with a store that has never seen it.
fn expected(model: &LoadedModel, jobs: &[Job]) -> Vec<crate::support::Answer> {
    jobs.iter()
        .map(|job| {
            model.engines.evict(&job.prompt);
            alone(model, job)
        })
        .collect()
}

fn batch_equals_alone(model: &LoadedModel, count: u32) {
    let jobs = jobs(count, 24);
    let expected = expected(model, &jobs);
    for job in &jobs {
        model.engines.evict(&job.prompt);
    }
    let batched = run(&mut *model.engines.engine(Incarnation(2)), &jobs, 8);
    assert_eq!(batched, expected);
    // Once more, with the prompts in the store.
    let cached = run(&mut *model.engines.engine(Incarnation(3)), &jobs, 8);
    assert_eq!(cached, expected);
    assert!(model.engines.pages().hit_tokens > 0);
}

#[test]
fn a_batch_of_eight_answers_as_each_alone_on_a_tiny_model() {
    batch_equals_alone(&tiny(4000), 40);
}

#[test]
fn a_batch_of_eight_answers_as_each_alone_on_the_demo() {
    batch_equals_alone(&demo(), 24);
}

#[test]
fn a_resumed_job_goes_on_exactly() {
    let model = tiny(4000);
    for seed in 0..6 {
        let job = job(&prompt(seed, 37), sampling(seed.into()), 40);
        model.engines.evict(&job.prompt);
        let whole = alone(&model, &job);
        for at in [0, 1, 10, 11, whole.tokens.len().saturating_sub(1)] {
            let at = at.min(whole.tokens.len());
            let rest = resumed(&job, &whole.tokens[..at]);
            assert_eq!(alone(&model, &rest), whole, "with the store, after {at}");
            model.engines.evict(&job.prompt);
            assert_eq!(alone(&model, &rest), whole, "without, after {at}");
        }
    }
}

#[test]
fn preempted_sequences_answer_the_same() {
    let roomy = tiny(4000);
    // Twelve pages for eight sequences that need up to six each.
    let tight = tiny(12);
    let jobs: Vec<Job> =
        (0..8).map(|seed| job(&prompt(seed, 30 + seed as usize), Sampling { temperature: 2.0, ..sampling(seed.into()) }, 60)).collect();
    let expected = expected(&roomy, &jobs);
    let squeezed = run(&mut *tight.engines.engine(Incarnation(1)), &jobs, 8);
    assert_eq!(squeezed, expected);
    assert!(tight.engines.pages().used <= 12);
}

#[test]
fn parked_sequences_wait_and_go_on() {
    use std::collections::HashMap;

    use shammah_protocol::Pulse;

    use crate::support::{Answer, collect};

    let model = tiny(4000);
    let jobs = jobs(2, 20);
    let expected = expected(&model, &jobs);
    let mut engine = model.engines.engine(Incarnation(2));
    let pulse = Pulse::default();
    let mut answers: HashMap<_, Answer> = HashMap::new();
    for job in &jobs {
        engine.admit(job).unwrap();
    }
    let mut ended = Vec::new();
    for step in 0..400 {
        let ready = if step % 2 == 0 { vec![jobs[0].id] } else { vec![jobs[1].id] };
        ended.extend(collect(engine.step(&ready, &pulse).unwrap(), &mut answers));
    }
    assert_eq!(ended.len(), 2);
    assert_eq!(jobs.iter().map(|job| answers[&job.id].clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn the_self_test_passes() {
    for model in [tiny(1), demo()] {
        model.engines.engine(Incarnation(1)).self_test(&shammah_protocol::Pulse::default()).unwrap();
    }
}
