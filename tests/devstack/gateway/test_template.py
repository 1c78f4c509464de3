"""Mapping templates: what a template may say, and what a request can make of it."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.gateway.definition import DefinitionError
from devstack.gateway.template import MappingTemplate, TemplateFault
from devstack.gateway.variables import UTIL, BodyError, escape_javascript

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CONTEXT = {"requestId": "1-2", "stage": "dev", "httpMethod": "PUT", "resourcePath": "/a"}


def evaluate(template: str, body: bytes = b"", **parameters: str) -> str:
    compiled = MappingTemplate(template, {"v": "of the stage"}, "here")
    return compiled.evaluate(body, parameters, CONTEXT).decode()


@pytest.mark.parametrize(
    ("template", "body", "text"),
    [
        ("$input.json('$')", b"", "{}"),
        ("$input.json('$')", b' { "a" : [ 1.10 , 1E400 ] } ', '{"a":[1.10,1E400]}'),
        ("$input.json('$.a.b-c[1]')", b'{"a":{"b-c":[1,"x  \\" y"]}}', r'"x  \" y"'),
        ("$input.json('$.absent')", b"{}", '""'),
        ("$input.json('$.a[1]')", b'{"a":[1]}', '""'),
        ("$input.json('$.a')", b"[]", '""'),
        ("$input.path('$.a')", b'{"a":"$x #set \\u0000"}', "$x #set \x00"),
        ("$input.path('$.a.b')", b'{"a":1}', ""),
        ("$input.path('$.a')", b'{"a":99999999999999999999999999}', "99999999999999999999999999"),
        ("$input.path('$.a')", b'{"a":true}', "true"),
        ("$!input.path('$.a.items')", b'{"a":{"keys":1}}', ""),
        ("$input.path('$.a').items", b'{"a":{"b":1}}', ""),
        ("$input.path('$.a').items", b'{"a":{"items":1}}', "1"),
        ("$input.path('$.a').size()", b'{"a":[1,2]}', "2"),
        ("$input.path('$.a')[1].b", b'{"a":[1,{"b":2}]}', "2"),
        ("$input.path('$.a')['b'][0]", b'{"a":{"b":[3]}}', "3"),
        ("$input.body", b" {}", " {}"),
        ("$input.params('p') $input.params('q')", b"", "a%20b "),
        ("$util.base64Decode($util.base64Encode('é'))", b"", "é"),
        ("$util.urlEncode('a b~*/')", b"", "a+b%7E*%2F"),
        ("$util.urlDecode('a+b%2F')", b"", "a b/"),
        ("$util.parseJson($input.path('$.a')).b", b'{"a":"{\\"b\\":7}"}', "7"),
        ("$context.requestId $context.stage ${context.httpMethod} $context.resourcePath", b"", "1-2 dev PUT /a"),
        ("$stageVariables.v", b"", "of the stage"),
        ("#set($a = 1)#if($a == 1)yes#{else}no#end", b"", "yes"),
        ("#if('a' == $input.path('$.a') && (2 > 1))yes#elseif($context.stage != 'dev')no#end", b'{"a":"a"}', "yes"),
        ("#foreach($x in $input.path('$'))$foreach.index:$x#if($foreach.hasNext),#end#end", b"[4,5]", "0:4,1:5"),
    ],
)  # fmt: skip
def test_what_a_template_says(template: str, body: bytes, text: str) -> None:
    assert evaluate(template, body, p="a%20b") == text


@pytest.mark.parametrize(
    "template",
    [
        "$absent",
        "$util.toJson($input.body)",
        "$util.base64Encode",
        "$util.base64Encode('a', 'b')",
        "$input.body()",
        "$input.bytes",
        "$input.params()",
        "$input.params('p', 'q')",
        "$input.json('$..a')",
        "$input.path('$.a[*]')",
        '$input.path("$.a")',
        "#set($p = '$.a')$input.path($p)",
        "$context.identity.sourceIp",
        "$stageVariables.other",
        "$input.path('$').keySet()",
        "${context.stage|'x'}",
        "#parse('a')",
        "#include('a')",
        "#evaluate('a')",
        "#macro(m)#end",
        "#m()",
        "#define($d)#end",
        "#set($a = {})",
        "#if($a",
        "#foreach($a in",
        "#end",
        "#if($context.stage == $absent)#end",
        '#set($a = "$absent")',
        "#if($input.body)#end",
        "#if(!$input.body)#end",
        "#if($input.body == null)#end",
        "#if($input.body not $input.body)#end",
        "#foreach($a in [1])#set($b = $a)#end",
        "#return('a')",
        "$foreach",
        "#foreach($a in [1])$foreach.parent.index#end",
        "#set($i = 0)$input.path('$.a')[$i]",
        "$input.path('$.a')[0].keySet()",
        r"\$context.stage",
    ],
)
def test_what_would_not_run_as_in_api_gateway_is_refused(template: str) -> None:
    with pytest.raises(DefinitionError, match=r"here: .*Repair: correct the definition"):
        evaluate(template)


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ("$util.base64Encode($input.path('$.a'))", b"{}"),
        ("$util.escapeJavaScript($input.path('$.a'))", b'{"a":1}'),
        ("$util.base64Decode($input.path('$.a'))", b'{"a":"?"}'),
        ("$input.path('$')", b"{}"),
        ("#foreach($x in $input.path('$'))$x#end", b'{"a":1}'),
        ("#foreach($x in $input.path('$.a'))$x#end", b'{"a":1}'),
    ],
)
def test_what_a_request_lacks_is_a_fault(template: str, body: bytes) -> None:
    with pytest.raises(TemplateFault):
        evaluate(template, body)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000, b"{}{}", b"NaN"])
def test_a_body_that_is_no_json_is_told_apart(body: bytes) -> None:
    for template in ("$input.json('$.a')", "$input.path('$.a')"):
        with pytest.raises(BodyError):
            evaluate(template, body)


def test_a_long_text_is_read_at_once() -> None:
    text = '"' + r"\\ " * 3_000_000 + '"'
    assert evaluate("$input.json('$.a')", b'{"a": %s }' % text.encode()) == text


def test_a_text_that_the_engine_knows_is_printed_as_any_other() -> None:
    marker = "__FORMAL_REFERENCE__REPLACE_TEXT__"
    assert evaluate("$input.path('$')", f'"{marker}"'.encode()) == marker


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("it's", r"it\'s"),
        ('"\\/', r"\"\\\/"),
        ("\n\x00\x7f", "\\n\\u0000\x7f"),
        ("é😀", r"\u00E9\uD83D\uDE00"),
    ],
)
def test_text_is_escaped_as_java_does(text: str, escaped: str) -> None:
    assert escape_javascript(text) == escaped


@given(text=TEXT)
def test_any_text_between_quotes_stays_between_them(text: str) -> None:
    template = """{"a": "$util.escapeJavaScript($input.params('t')).replaceAll("\\\\'", "'")", "b": 1}"""
    found = evaluate(template, t=text)
    assert json.loads(found) == {"a": text, "b": 1}
    assert re.search(r"[^\x20-\x7f]", found) is None


@given(text=TEXT)
def test_base64_is_of_the_text_in_utf_8(text: str) -> None:
    assert base64.b64decode(UTIL["base64Encode"](text)) == text.encode()
    assert UTIL["base64Decode"](UTIL["base64Encode"](text)) == text
