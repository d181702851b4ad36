use super::*;
use crate::ast::*;

fn parse(text: &str) -> super::Result<List> {
    Parser::new(text.as_bytes().to_vec(), 1, Aliases::default()).all_commands()
}

fn only(text: &str) -> Command {
    let list = parse(text).unwrap();
    assert_eq!(list.0.len(), 1, "{list:?}");
    list.0[0].first.commands[0].clone()
}

fn simple(text: &str) -> Simple {
    match only(text) {
        Command::Simple(simple) => simple,
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_keep_what_is_quoted_apart() {
    let words = simple(r#"echo a'b'"c$d" \e"#).words;
    assert_eq!(
        words[1].0[..2],
        [Part::Literal(b"a".to_vec()), Part::Quoted(b"b".to_vec())]
    );
    assert!(matches!(&words[1].0[2], Part::Double(inner) if inner.len() == 2));
    assert_eq!(words[2].0, [Part::Quoted(b"e".to_vec())]);
}

#[test]
fn assignments_come_before_the_command_only() {
    let simple = simple("a=1 b+=2 c[3]=4 echo d=5");
    assert_eq!(simple.assigns.len(), 3);
    assert!(simple.assigns[1].append && simple.assigns[2].index.is_some());
    assert_eq!(simple.words.len(), 2);
}

#[test]
fn a_here_document_is_read_after_its_line() {
    let list = parse("cat <<A <<'B'; echo x\none $y\nA\ntwo $y\nB\n").unwrap();
    assert_eq!(list.0.len(), 2);
    let Command::Simple(cat) = &list.0[0].first.commands[0] else {
        panic!()
    };
    let RedirectKind::Here(one) = &cat.redirects[0].kind else {
        panic!()
    };
    assert_eq!(one.borrow().0.len(), 3);
    let RedirectKind::Here(two) = &cat.redirects[1].kind else {
        panic!()
    };
    assert_eq!(two.borrow().0, [Part::Quoted(b"two $y\n".to_vec())]);
}

#[test]
fn parentheses_are_arithmetic_only_when_they_close_so() {
    assert!(matches!(
        only("((1+2))"),
        Command::Compound {
            body: Compound::Arith(_),
            ..
        }
    ));
    assert!(matches!(
        only("((echo a); echo b)"),
        Command::Compound {
            body: Compound::Subshell(_),
            ..
        }
    ));
    let words = simple("echo $(( (1) )) $((echo a); echo b)").words;
    assert!(matches!(words[1].0[0], Part::Arith(_)));
    assert!(matches!(words[2].0[0], Part::Command(_)));
}

#[test]
fn nested_parentheses_cost_no_exponential_time() {
    for depth in [10, 50] {
        let text = format!("echo {}echo x{}", "$((".repeat(depth), " ) )".repeat(depth));
        parse(&text).unwrap();
    }
}

#[test]
fn syntax_errors_name_line_and_token() {
    let error = parse("echo a\nfi\n").unwrap_err();
    assert_eq!(
        (error.line, error.message.as_str()),
        (2, "Syntax error: \"fi\" unexpected")
    );
    for text in [
        "if true",
        "echo 'a",
        "( echo",
        "a |",
        "case x in",
        "echo $(",
        "for 1 in a; do :; done",
        "${",
        "f() ",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn aliases_replace_text_once() {
    let aliases = Aliases::default();
    aliases
        .borrow_mut()
        .insert(b"ll".to_vec(), b"ll -l; echo".to_vec());
    let list = Parser::new(b"ll x".to_vec(), 1, aliases)
        .all_commands()
        .unwrap();
    assert_eq!(list.0.len(), 2);
}

#[test]
fn a_line_is_parsed_without_looking_at_the_next() {
    struct Lines(Vec<&'static str>);
    impl super::Lines for Lines {
        fn next_line(&mut self, _fresh: bool, out: &mut Bytes) -> bool {
            assert!(!self.0.is_empty(), "looked too far");
            out.extend_from_slice(self.0.remove(0).as_bytes());
            true
        }
    }
    let mut parser = Parser::from_lines(
        Box::new(Lines(vec!["echo a # c\n", "if x\n", "then y; fi\n"])),
        Aliases::default(),
    );
    assert!(parser.next_commands().unwrap().is_some());
    assert!(parser.next_commands().unwrap().is_some());
}

#[test]
fn every_form_of_parameter_is_known() {
    for text in [
        "$x",
        "${x}",
        "${#x}",
        "${#}",
        "${x:-a b}",
        "${x-}",
        "${x:=$y}",
        "${x?no}",
        "${x+${y}}",
        "${x#*/}",
        "${x##a}",
        "${x%.*}",
        "${x:1}",
        "${x: -1:2}",
        "${x/a/b}",
        "${x//a}",
        "${x/#a/b}",
        "${x^^}",
        "${x,}",
        "${!x}",
        "${!x[@]}",
        "${x[@]}",
        "${x[1]}",
        "${x@Q}",
        "$10",
        "${10}",
        "$@",
        "$*",
        "$#",
        "$?",
        "$-",
        "$$",
        "$!",
        "${#x[@]}",
        "${##}",
    ] {
        let words = simple(&format!("echo {text} \"{text}\"")).words;
        assert!(
            !matches!(&words[1].0[0], Part::Param(param) if matches!(param.op, Op::Bad(_))),
            "{text}"
        );
        assert_eq!(words.len(), 3, "{text}");
    }
    assert!(
        matches!(&simple("echo ${x!y}").words[1].0[0], Part::Param(param) if matches!(param.op, Op::Bad(_)))
    );
}
