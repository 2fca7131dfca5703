"""The wire format of protocol buffers: read as the package reads it, and damaged messages refused without filling the memory."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.stored_graphs import number, varint
from weigh.models.protobuf import Message, ProtobufError, message_field

onnx = pytest.importorskip("onnx")


@given(
    name=st.text(max_size=20), numbers=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5),
    floats=st.lists(st.floats(width=32, allow_nan=False), max_size=5), whole=st.integers(-(1 << 63), (1 << 63) - 1),
    raw=st.binary(max_size=50),
)  # fmt: skip
def test_it_reads_what_the_package_writes(name, numbers, floats, whole, raw):
    tensor = onnx.TensorProto(name=name, int64_data=numbers, float_data=floats, raw_data=raw, dims=numbers)
    attribute = onnx.AttributeProto(name=name, i=whole, t=tensor, f=floats[0] if floats else 0.0)
    read = Message(attribute.SerializeToString())
    inner = read.message(5)
    assert (read.text(1), read.number(3), inner.text(8)) == (name, whole, name)
    assert inner.varints(7) == inner.varints(1) == numbers
    assert read.float(2) == (floats[0] if floats else 0.0)
    assert len(inner.fixed(4, 4)) == 4 * len(floats)
    assert bytes((inner.parts(9) or [b""])[-1]) == raw


@given(st.text(max_size=300), st.integers(1, 15))
def test_it_writes_what_it_reads(content, field):
    assert Message(message_field(field, content.encode())).text(field) == content


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(content):
    with suppress(ProtobufError):
        message = Message(content)
        for field in list(message.fields):
            message.fixed(field, 1)
            message.varints(field)
            message.texts(field)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (varint(1 << 3 | 2) + varint(1 << 60) + b"abc", "promises"),
        (varint(1 << 3 | 2) + varint((1 << 64) - 1), "promises"),
        (varint(1 << 3) + b"\xff" * 11, "never ends"),
        (varint(1 << 3) + b"\xff", "cut off"),
        (varint(1 << 3 | 5) + b"\0\0", "promises"),
        (varint(1 << 3 | 3), "unknown kind"),
        (varint(1 << 3 | 6), "unknown kind"),
        (varint(0 << 3 | 2) + b"\0", "no field"),
        (varint(1 << 40 | 2) + b"\0", "no field"),
    ],
)
def test_damage_is_named_and_costs_no_memory(content, said):
    tracemalloc.start()
    with pytest.raises(ProtobufError, match=said):
        Message(content)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("read", ["parts", "texts", "messages", "message", "mapping"])
def test_a_number_where_bytes_should_be_is_an_error(read):
    with pytest.raises(ProtobufError, match="is a number"):
        getattr(Message(number(1, 5)), read)(1)


def test_bytes_where_a_number_should_be_are_an_error():
    with pytest.raises(ProtobufError, match="is no number"):
        Message(message_field(1, b"abc")).number(1)
