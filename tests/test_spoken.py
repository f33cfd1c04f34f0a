"""What a model says, apart from what it thinks aloud."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.spoken import spoken_in, without_thoughts


@pytest.mark.parametrize(
    ("text", "said", "thoughts"),
    [
        ("<think>Hm.</think>\nHello", "Hello", "Hm."),
        ("Hm, [1]. </think>{}", "{}", "Hm, [1]."),
        ("<think>cut off here", "", "cut off here"),
        ("<think>a</think><think>b</think>c", "c", "a\nb"),
        ("<think>The <think> tag</think> answer", "answer", "The <think> tag"),
        ("<think>```json\n[1] no </think>yes", "yes", "```json\n[1] no"),
        ("Hello\n<thinking>\nwait\n</thinking>\nworld", "Hello\n\nworld", "wait"),
        ("◁think▷x◁/think▷y", "y", "x"),
        ("<seed:think>x</seed:think>y", "y", "x"),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>",
            "Hi",
            "hm",
        ),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|message|>Hi", "Hi", "hm"),
        ('<|channel|>commentary to=functions.plan <|constrain|>json<|message|>{"a": 1}<|call|>', '{"a": 1}', ""),
        ("analysisUser wants X.assistantfinalHello", "Hello", "User wants X."),
        ("assistantfinalHello", "Hello", ""),
        ("OK <think>short</think> Hello", "OK Hello", "short"),
        ("<longcat_think>x</longcat_think>y", "y", "x"),
        ("<thought_process>x</thought_process>y", "y", "x"),
        ("<internal_monologue>x</internal_monologue>y", "y", "x"),
        ("<think >x</think >y", "y", "x"),
        ("&lt;think&gt;x&lt;/think&gt;y", "y", "x"),
        ("<|think|>x<|/think|>y", "y", "x"),
        ("[BEGIN_THINK]x[/END_THINK]y", "y", "x"),
        ("Thought: I look.\nAnd see.\nFinal Answer: y", "y", "I look.\nAnd see."),
        ("Here is my thought process: x\n\nHere is my response: y", "y", "x"),
        ("```thinking\nx\n```\ny", "y", "x"),
        ('<details type="reasoning"><summary>3 s</summary>x</details>y', "y", "<summary>3 s</summary>x"),
        ("<think>x</think>\n<answer>\nHello\n</answer>", "Hello", "x"),
        ("<answer>Hello</answer>", "Hello", ""),
        ("<think>x</think><output>Hello</output>", "Hello", "x"),
        ("<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>", "Hello", "x"),
        ("<think>x</think><|begin_of_box|>42<|end_of_box|>", "42", "x"),
        ("Hello<|im_end|>", "Hello", ""),
        ("<|im_start|>assistant\nHello<|im_end|>\n<|endoftext|>\n", "Hello", ""),
        ("<s>Hello</s>", "Hello", ""),
        ("Hello</s>", "Hello", ""),
        ("<start_of_turn>model\nHello<end_of_turn>", "Hello", ""),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>", "Hello", ""),
        ('{"a": 1}<|im_end|>', '{"a": 1}', ""),
    ],
)
def test_thoughts_and_words(text: str, said: str, thoughts: str) -> None:
    spoken = without_thoughts(text)
    assert (spoken.said, spoken.thoughts) == (said, thoughts)


@pytest.mark.parametrize(
    "text",
    [
        "I use the <think> tag and `</think>` often.",
        "The model writes <think> and </think> around it.",
        '[{"text": "the tag </think> ends"}]',
        "```xml\n<reasoning>\nx\n</reasoning>\n```",
        "analysis of the market: assistantfinal",
        "a <thought> and no end",
        "Write <think>...</think> before it.",
        "<details><summary>More</summary>text</details> and more",
        "Thought: this is all that I have to say.",
        "As a rethink: <b>bold</b>.",
        "Qwen ends each turn with <|im_end|>, Llama with <|eot_id|>.",
        "It ends with `<|im_end|>`",
        "<s>Old</s> new, <s>bad</s>",
        "<output>3</output>",
        "<answer>3</answer> or <answer>4</answer>",
        '{"text": "the end</s>"}',
    ],
)
def test_marks_that_are_spoken_of_stay(text: str) -> None:
    assert without_thoughts(text).said == text


@given(st.text(alphabet='<>/think|channel mesgfnal`\n"[]{} ', max_size=80))
def test_nothing_is_said_that_was_not_written(text: str) -> None:
    spoken = without_thoughts(text)
    assert all(line.strip() in text for line in spoken.said.splitlines())
    assert spoken_in({"content": text}).said == spoken.said
