//! What holds for every sequence of inputs and every clock.

use proptest::prelude::*;
use sandbox_core::Timestamp;
use sandbox_core::lifecycle::{Action, ActionError, Input, LifecyclePolicy, Observation, Request};

use crate::checked::Checked;
use crate::inputs;
use crate::world::{self, World};

/// An input that need not make sense.
#[derive(Debug, Clone)]
enum Wild {
    Request(Request),
    Observation(Observation),
    Tick,
    TickAtDeadline,
    /// The outcome of the action awaited, or of any earlier one.
    Outcome {
        awaited: bool,
        earlier: prop::sample::Index,
        error: Option<ActionError>,
    },
}

fn wild() -> impl Strategy<Value = Wild> {
    let observations = prop_oneof![
        any::<Option<i32>>().prop_map(|code| Observation::Exited { code }),
        Just(Observation::OutOfMemory),
        Just(Observation::FoundRunning),
        Just(Observation::FoundPaused),
        Just(Observation::FoundBroken),
        Just(Observation::Missing),
    ];
    let outcomes = (
        any::<bool>(),
        any::<prop::sample::Index>(),
        proptest::option::of(inputs::errors()),
    );
    prop_oneof![
        4 => inputs::requests().prop_map(Wild::Request),
        1 => observations.prop_map(Wild::Observation),
        1 => Just(Wild::Tick),
        1 => Just(Wild::TickAtDeadline),
        4 => outcomes.prop_map(|(awaited, earlier, error)| Wild::Outcome { awaited, earlier, error }),
    ]
}

fn clocks() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..200_000u64,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn run_wild(policy: LifecyclePolicy, steps: Vec<(Wild, u64)>) {
    let (mut machine, mut issued) = Checked::new(policy, Timestamp::from_millis(100_000));
    for (wild, now) in steps {
        let mut now = Timestamp::from_millis(now);
        let input = match wild {
            Wild::Request(request) => request.into(),
            Wild::Observation(observation) => observation.into(),
            Wild::Tick => Input::Tick,
            Wild::TickAtDeadline => {
                now = machine.life.next_deadline().unwrap_or(now);
                Input::Tick
            }
            Wild::Outcome {
                awaited,
                earlier,
                error,
            } => {
                let any = issued[earlier.index(issued.len())];
                let action: Action = machine
                    .life
                    .outstanding()
                    .filter(|_| awaited)
                    .unwrap_or(any);
                error.map_or_else(|| action.succeeded(), |error| action.failed(error))
            }
        };
        // `Checked` holds every step to the rules; a refusal is an answer like any other.
        issued.extend(machine.handle(input, now).unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_rule_holds_for_any_input_at_any_time(
        policy in inputs::policies(),
        steps in prop::collection::vec((wild(), clocks()), 1..60),
    ) {
        run_wild(policy, steps);
    }

    #[test]
    fn it_comes_to_rest_where_it_was_asked_to_and_leaves_no_orphan(
        policy in inputs::policies(),
        steps in prop::collection::vec(world::steps(), 1..60),
    ) {
        let mut world = World::new(policy);
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.check_at_rest();
    }
}
