#!/usr/bin/env python3
"""Writes tests/text/jinja_cases.cc: small templates and what Jinja makes of them.

  python3 tests/text/jinja_cases.py >tests/text/jinja_cases.cc        (needs jinja2 3.1)

Jinja runs with the settings of Hugging Face transformers (see src/text/chat/template.h). Add a template by a line
s("...") in the part that it belongs to.
"""
import datetime
import json

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 9, 28, 0, 41, 12)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_pass"), [], [], body).set_lineno(line)

    def _pass(self, caller):
        return caller()


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


S=[]
def s(t, **v): S.append((t,v))
MSGS = [
    {"role":"system","content":"Be brief."}, {"role":"user","content":"Hi"},
    {"role":"assistant","content":"Hello","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{"a":1,"b":[1.5,None,True]}}}]},
    {"role":"user","content":"Bye"},
]
TOOLS = [
    {"type":"function","function":{"name":"get_weather","description":"Grüße \"x\" <b>","parameters":{"type":"object","properties":{"city":{"type":"string","enum":["a","b"]},"n":{"type":"integer","default":3}},"required":["city"]}}},
]

# Printing of values
for e in [
    "none", "true", "false", "None", "True", "False", "1", "-1", "1_000", "0x1F", "0b101", "0o17", "1.0",
    "1.5e3", "1e16", "1e15", "123456789012345678", "1e-5", "0.0001", "0.1+0.2", "1/3", "1e22", "1e300*1e10",
    "-1e300*1e10", "2**10", "2**-1", "2.0**3", "7//2", "-7//2", "7%3", "-7%3", "7%-3", "7.5//2", "-7.5%2",
    "7.5 % -2", "5/2", "4/2", "3*'ab'", "'ab'*0", "'ab'*-1", "[1,2]*2", "(1,2)+(3,)", "[1]+[2,'x']",
    "1 == 1.0", "1 == true", "'1' == 1", "[1,2] == [1,2.0]", "{'a':1} == {'a':1.0}", "(1,) == [1]",
    "none == none", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 >= 2 != 1", "'a' < 'b'", "'Z' < 'a'", "[1,2] < [1,3]",
    "(1,2) <= (1,2)", "1 in [1,2]", "3 not in [1,2]", "'b' in 'abc'", "'a' in {'a':1}", "1 in (1,)", "not 1",
    "not ''", "not not 2", "1 and 2", "0 and 2", "0 or 'x'", "'' or none", "1 or 2", "1 if true else 2",
    "1 if false else 2", "1 if false", "'a' ~ 1 ~ none ~ true ~ 1.5", "'a' 'b' \"c\"",
    "[1,'a',none,true,1.5,[2],{'k':'v'},(1,),()]", "{'a':1,2:'b',none:[],true:'t'}",
    "{1:'a',1.0:'b',true:'c'}", "('a',)", "()", "1,2", "'it\\'s'", "[\"it's\"]", "['say \"hi\"']",
    "['both \\' and \"']", "['tab\\t nl\\n bs\\\\ cr\\r nul\\0 del\\x7f']", "['é ü 日本 \\u200b \\xad 😀']",
    "'\\x41\\u00e9\\U0001F600\\101'", "'\\d \\q'", "'line\\\ncont'", "-2**2", "2**3**2", "(2**3)**2", "-1|abs",
    "+3", "-(-3)", "1 - -1", "10 - 2 - 3", "2 + 3 * 4", "(2 + 3) * 4", "10 / 4 * 2", "1 ~ 2 + 3",
    "'%s-%d' % ('a', 3)", "'a' is string and 1 is number", "1 if none else 'n'",
    "'x' if 1 else 'y' if 1 else 'z'", "[1,2,3][0]", "[1,2,3][-1]", "[1,2,3][5]", "[1,2,3][1:]",
    "[1,2,3][:-1]", "[1,2,3][::-1]", "[1,2,3,4,5][1:4:2]", "[1,2,3,4][::-2]", "'hello'[1]", "'hello'[-2:]",
    "'hello'[::-1]", "'héllo wörld'[1:8:3]", "'日本語テキスト'[2:4]", "'日本語'[1]", "'日本語'[-1]", "(1,2,3)[1:]",
    "range(10)[2:5]", "range(10)[2]", "range(5)|list", "range(0,10,3)|list", "range(5,0,-2)|list", "range(3)",
    "range(1,4)", "range(0,9,2)", "{'a':{'b':[10,20]}}.a.b[1]", "{'a':1}['a']", "{'a':1}.b is defined",
    "{'a':1}['b'] is defined", "{'items':5}['items']", "{'items':5}.items is callable", "[[1,2],[3]][0][1]",
    "(1,2).0", "[5,6].1", "'abc'.0", "2 is divisibleby 2", "3 is not divisibleby 2", "'a,b'.split(',')",
    "1.0|int", "1e3", "100000000000000000000.0", "-0.0", "0.1", "1.10", "12345.678901234567", "5e-324",
    "1.7976931348623157e308", "3.0e-7", "1e7", "9007199254740993", "18446744073709551616", "2**64", "10**20",
    "-(2**63)", "0 == false", "'' == false", "1.5 == 1.5", "1e2 == 100", "true + true", "true * 3", "[] or {}",
    "{}", "[]", "{}|length", "[none,undefined_x]", "'a' if undefined_x else 'b'", "undefined_x",
    "undefined_x is undefined", "undefined_x == undefined_y", "undefined_x|default('d')", "undefined_x ~ 'a'",
    "undefined_x in [1]", "1 in undefined_x", "[undefined_x]|length", "undefined_x|length", "undefined_x|list",
    "undefined_x or 'o'", "'%s' % undefined_x",
]:
    s("{{ "+e+" }}")

# Errors
for e in [
    "undefined_x.a", "undefined_x['a']", "undefined_x + 1", "1 + undefined_x", "'a' + undefined_x",
    "undefined_x()", "undefined_x < 1", "-undefined_x", "'a' + 1", "1 + 'a'", "[1] + 'a'", "none + 1", "1/0",
    "1//0", "1%0", "1.0/0", "[1]|length()|x", "'a' < 1", "none < 1", "{} < {}", "[1] < ['a']", "1 in 1",
    "1 in 'a'", "'a'.nope()", "none.x.y", "(1)()", "'a'()", "[1,2]['a'].b", "{[1]:2}", "{}[[1]].x",
    "range(100001)", "range(1,2,0)", "'abc'[::0]", "1|length", "none|length", "true|list", "none|join",
    "5|first", "1|sort", "[1,'a']|sort", "'x'|tojson(indent='a',foo=1)", "undefined_x|tojson",
    "[undefined_x]|tojson", "{(1,2):3}|tojson", "range(3)|tojson", "[].append(1)", "{}.update({})",
    "{}.pop('a')", "{'a':1}.setdefault('b',1)", "[3,1].sort()", "[1].clear()", "''.__class__.x",
    "''.__class__.__mro__", "[].__len__()", "raise_exception('boom')", "raise_exception()", "'a'.join([1,2])",
    "'a'.split('')", "'%d' % 'a'", "'%s %s' % 'a'", "'%s' % (1,2)", "'%q' % 1", "'%' % ()", "'{'.format()",
    "'}'.format()", "'{}'.format()", "'{0} {}'.format(1)", "'{x}'.format(y=1)", "'{:d}'.format('a')",
    "'{:s}'.format(1)", "'{:x}'.format(1.5)", "'{:5}'.format([])", "'{!z}'.format(1)", "dict(1)", "dict([1])",
    "namespace(1)", "cycler()", "'a'|int('x',base=99)|foo", "'a'|nofilter", "'a' is notest",
    "1 is divisibleby(0)", "loop", "'a'|round", "'x'|batch(2)|length", "['b']|groupby",
    "'a'|map('upper')|length", "[1]|map", "[1]|map('nope')|list", "[1]|select('nope')|list",
    "[1]|selectattr|list", "'a'|center('x')", "'a'.center(5,'ab')", "'a'.index('b')", "[1].index(2)",
    "{'a':1}.a.b.c", "strftime_now(1)", "'abc'|truncate(2)", "[1,2]|sum('x')", "['a']|sum",
    "[1]|sum(start='a')", "dict(a=1)|dictsort(by='x')", "{'a b':1}|xmlattr", "2**200",
    "9223372036854775807*9223372036854775807*9", "(-8)**0.5", "0**-1", "1e308*10", "(1,2)[5].x", "1.5 % 0",
    "[1,2,3][1.0]", "'abc'['a'].x", "{'a':1}[1].x", "[x for x in y]", "lipsum(1)|length > 0 and missing.x",
    "10**39",
]:
    s("{{ "+e+" }}")
for t in [
    "{{ 1 +", "{{ }}", "{% if %}{% endif %}", "{% if 1 %}", "{% for x in %}{% endfor %}", "{% endif %}",
    "{% foo %}", "{{ 'abc }}", "{# unclosed", "{% raw %} x", "{{ a b }}", "{{ (1 }}", "{{ [1 }}", "{{ {1} }}",
    "{{ 1 2 }}", "{% set %}", "{% set 1 = 2 %}", "{% set a.b = 1 %}", "{% set none = 1 %}",
    "{% macro %}{% endmacro %}", "{% macro f(a=1,b) %}{% endmacro %}", "{{ f(a=1, 2) }}", "{{ f(**a, b) }}",
    "{{ x is }}", "{{ x| }}", "{{ x. }}", "{% for a.b in x %}{% endfor %}",
    "{% for loop in [1] %}{% endfor %}", "{% for x in [1] %}{% set loop = 1 %}{% endfor %}",
    "{% call x %}{% endcall %}", "{% filter %}x{% endfilter %}", "{{ ~1 }}", "{{ a ? b }}", "{{ !a }}",
    "{{ 'a' is string is defined }}", "{% if true %}a{% else %}b{% elif x %}c{% endif %}", "{{ \"\\x4\" }}",
    "{{ $ }}", "{{ } }}", "{{ ) }}", "{% set x %}a", "{% break %}",
    "{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{{ x|nope }}",
    "{% if true %}{{ x|nope }}{% endif %}", "{% include 'a' %}", "{% else %}", "{% endfor %}", "{{ 1.e }}",
    "{{ a.1.2.b }}", "{% block a b %}{% endblock %}",
]:
    s(t)
s("{% if false %}{{ x|nope }}{% endif %}ok")
s("{{ (1|nope) if false else 2 }}")
s("{% if false %}{{ x is nope }}{% endif %}ok")

# White space control
for t in [
    "  {% if true %}\n  a\n  {% endif %}\nb", "a  {%- if true -%}  b  {%- endif -%}  c",
    "a\n  {%+ if true %}\nb{% endif %}", "a {{- 1 -}} b", "a {{ 1 }} \n b", "x\n\n  {%- set a=1 -%}\n\n y",
    "{# c #}\na", "a {#- c -#} b", "a\n   {# c #}\n b", "a\n   {# c +#}\n b", "{% if true +%}\na{% endif %}",
    "{% raw %}{{ x }} {% y %}{% endraw %}", "a {%- raw -%}  {{ x }}  {%- endraw -%} b",
    "{% raw %}\n a {% endraw %}\nb", "  {% raw %}x{% endraw %}", "line\n", "line\n\n", "\n", "\n\nx\n",
    "{{ 'a' }}\n", "{% set x = 1 %}\n", "a\r\nb\rc\n", "{{ 'a\r\nb' }}", "  {{ 1 }}\n  {{ 2 }}",
    "\t{% if 1 %}x{% endif %}\t\n", "a{% if 1 %}\n\nb{% endif %}", "{%if 1%}x{%endif%}",
    "{%- for i in [1,2] -%}\n {{ i }} \n{%- endfor -%}", "{{-1}}", "{{- -1 }}", "a {{+1}}", "{#- a -#}{# b #}",
    "a{#\nmulti\nline #}\nb", "{% if 1 %}  \n x{% endif %}", "x {% if 1 %}y{% endif %} z",
    "x\n  \t {% if 1 %}y\n  \t {% endif %}z", "\u00a0{% if 1 %}x{% endif %}", "x\u2003{%- if 1 %}y{% endif %}",
    "{{ '{{' }}{{ '%}' }}", "{ { a } }", "{{ {'a':{'b':1}}['a'] }}", "{{ {'a':{}}}}", "%}{ #}}}",
    "{%- raw %} a {% endraw +%}\nb", "{% raw -%}\n\n x{% endraw %}", "{#-#}x", "{#--#}x",
    "{%    if    1    %}x{%    endif    %}", "{{\n1\n}}", "{% set\nx\n=\n1\n%}{{ x }}",
]:
    s(t)

# For
L=dict(xs=[1,2,3],m=MSGS,d={"b":2,"a":1,"C":3},e=[])
for t in [
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in e %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}|{{ loop.nextitem }};{% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a','b') }}{% endfor %}",
    "{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in xs if x > 1 %}{{ x }}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for x in xs if x > 9 %}{{ x }}{% else %}nothing{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for a, (b, c) in [(1,(2,3)),(4,[5,6])] %}{{ a }}{{ b }}{{ c }} {% endfor %}",
    "{% for c in 'héy' %}{{ c }}-{% endfor %}",
    "{% for x in xs %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% break %}{% else %}E{% endfor %}",
    "{% for x in xs %}{% continue %}{% else %}E{% endfor %}",
    "{% for x in xs %}{% if x>1 %}{% break %}{% endif %}{% else %}E{% endfor %}",
    "{% for x in xs recursive %}{{ x }}{% endfor %}",
    "{% for x in [{'n':1,'c':[{'n':2,'c':[]},{'n':3,'c':[{'n':4,'c':[]}]}]}] recursive %}{{ x.n }}@{{ loop.depth }}{{ loop.depth0 }}({{ loop(x.c) }}){% endfor %}",
    "{% for x in [[1,[2,[3]]],4] recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% set t = 0 %}{% for x in xs %}{% set t = t + x %}{{ t }} {% endfor %}{{ t }}",
    "{% set ns = namespace(t=0) %}{% for x in xs %}{% set ns.t = ns.t + x %}{% endfor %}{{ ns.t }}",
    "{% for x in xs %}{% endfor %}{{ x is defined }}", "{% for x in xs %}{{ loop }}{% endfor %}",
    "{% for x in range(3) %}{{ x }}{% endfor %}", "{% for x in undefined_x %}a{% else %}b{% endfor %}",
    "{% for x in none %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}",
    "{% for a, b in [[1,2,3]] %}{% endfor %}",
    "{% for x in xs|reverse %}{{ x }}{{ loop.length }}{{ loop.revindex }}{% endfor %}",
    "{% for x in xs|map('string') %}{{ x }}{{ loop.last }}{% endfor %}",
    "{% for x in 1,2,3 %}{{ x }}{% endfor %}", "{% for x in (xs if true else e) %}{{ x }}{% endfor %}",
    "{% for x in xs[:2] + [9] %}{{ x }}{% endfor %}",
    "{% for i in xs %}{% for j in xs if j != i %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for x in xs %}{% set y = x %}{% if loop.first %}{% set z = 5 %}{% endif %}{{ z }}{{ y }} {% endfor %}",
    "{% set ns = namespace(f=false) %}{% for x in xs if not ns.f %}{{ x }}{% set ns.f = x == 2 %}{% endfor %}",
    "{% for x in xs %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in xs %}{{ loop['index'] }}{% endfor %}",
    "{% for x in xs %}{{ loop.nope is defined }}{% endfor %}", "{% for x in d.values() %}{{ x }}{% endfor %}",
    "{% for x in d.keys() %}{{ loop.length }}{{ x }}{% endfor %}",
    "{% for k, v in d|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for k, v in d|items %}{{ k }}{{ v }}{{ loop.length }}{% endfor %}",
    "{% set g = xs|map('string') %}{% for x in g %}{{ x }}{% endfor %}-{% for x in g %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% set loop_i = loop.index %}{{ loop_i }}{% endfor %}",
    "{% for m in m if m.role == 'user' %}{{ m.content }}{{ loop.index }}{% endfor %}",
    "{% for x in xs %}{% filter upper %}a{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfilter %}{% endfor %}",
    "{% for a,b in {'x':1}.items() %}{{ a~b }}{% endfor %}", "{% for x, in [[1],[2]] %}{{ x }}{% endfor %}",
    "{% for (a,b) in [(1,2)] %}{{ a+b }}{% endfor %}",
    "{% for x in xs %}{{ loop.length }}{% if loop.index == 1 %}{{ loop.nextitem }}{% endif %}{% endfor %}",
    "{% for x in xs %}{{ loop(xs) }}{% endfor %}", "{% for x in xs: %}{{ x }}{% endfor %}",
    "{% for x in xs if x is odd recursive %}{{ x }}{% endfor %}",
]:
    s(t,**L)

# Scoping
for t in [
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% if false %}{% set x = 2 %}{% endif %}{{ x }}", "{% if false %}{% set q = 2 %}{% endif %}{{ q }}",
    "{{ q }}{% set q = 1 %}{{ q }}", "{% for i in [1] %}{{ q }}{% endfor %}{% set q = 2 %}",
    "{% set q = q + 1 %}{{ q }}", "{% macro f() %}{{ q }}{% endmacro %}{{ f() }}{% set q = 9 %}{{ f() }}",
    "{% macro f() %}{{ z }}{% endmacro %}{% set z = 1 %}{{ f() }}{% set z = 2 %}{{ f() }}",
    "{% for i in [1,2] %}{% if i == 1 %}{% set w = i %}{% endif %}[{{ w }}]{% endfor %}",
    "{% set w = 0 %}{% for i in [1,2] %}[{{ w }}]{% set w = i %}[{{ w }}]{% endfor %}{{ w }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}",
    "{% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set k = 1 %}{{ k }}{% endwith %}{{ k }}", "{% set x %}a{{ q }}b{% endset %}{{ x|upper }}",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | replace('a','b') | title %}aaa ccc{% endset %}{{ x }}",
    "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = [3, 4] %}{{ b }}{{ a }}", "{% set a, b = b, a %}{{ a }}{{ b }}",
    "{% set (a, b) = (1, 2) %}{{ a }}{{ b }}", "{% set a = 1, %}{{ a }}", "{% set a = 1, 2 %}{{ a }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}{{ ns }}",
    "{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns['b'] }}{{ ns.c is defined }}",
    "{% set ns = namespace({'a': 2}, b=3) %}{{ ns.a + ns.b }}", "{% set d = {} %}{% set d.a = 1 %}",
    "{% set ns = namespace(n=namespace(v=1)) %}{{ ns.n.v }}",
    "{% set ns = namespace(l=[]) %}{% for i in range(3) %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}",
    "{% set ns = namespace(a=1) %}{% set ns.a, c = 5, 6 %}{{ ns.a }}{{ c }}",
    "{% set ns = namespace(x='') %}{% set ns.x %}blk{% endset %}{{ ns.x }}",
    "{% generation %}a{% set gg = 1 %}{{ gg }}{% endgeneration %}{{ gg }}",
    "{% set x = 3 %}{% generation %}{{ x }}{% endgeneration %}",
    "{% for x in [1,2] %}{% generation %}{{ loop.index }}{{ x }}{% endgeneration %}{% endfor %}",
    "{% if q %}{% set r = 1 %}{% elif false %}{% set r = 2 %}{% else %}{% set r = 3 %}{% endif %}{{ r }}",
    "{% set q = 7 %}{% for i in [1] %}{{ q }}{% set q = 8 %}{{ q }}{% endfor %}{{ q }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro f(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{{ f(1) }}{{ x }}", "{% print 1, 'a' %}",
    "{% set messages = messages or [1] %}{{ messages }}", "{% if true: %}x{% endif %}",
    "{% if true %}{% for i in [1] %}{% set q = 3 %}{% endfor %}{% endif %}{{ q }}",
    "{% for i in [1,2] %}{% macro mm() %}{{ i }}{% endmacro %}{{ mm() }}{% endfor %}",
    "{% set f = false %}{% if not f %}{% set f = true %}{% if f %}{% set g = 1 %}{% endif %}{% endif %}{{ g }}{{ f }}",
    "{% filter upper %}a{% set fv = 1 %}b{{ fv }}{% endfilter %}{{ fv }}",
    "{% filter replace('a','x')|upper %}banana{% endfilter %}", "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% set true_ = 1 %}{{ true_ }}", "{% set é = 5 %}{{ é }}", "{{ self is defined }}",
    "{{ range is defined }}{{ namespace is callable }}{{ cycler is defined }}{{ joiner is defined }}{{ dict is defined }}",
    "{% set range = 5 %}{{ range }}",
]:
    s(t,q=5)

# Macros
for t in [
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=5, a=4) }}{{ f() }}",
    "{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}",
    "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}",
    "{% macro f(a) %}{{ varargs|join('-') }}{% endmacro %}{{ f(1, 2, 3) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=1) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}x{% endcall %}",
    "{% macro f() %}[{{ caller(1, b=2) }}]{% endmacro %}{% call(a, b) f() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{% if caller %}{{ caller() }}{% else %}no{% endif %}{% endmacro %}{{ f() }}{% call f() %}yes{% endcall %}",
    "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro f(x) %} {{ x }} {% endmacro %}[{{ f(1)|trim }}]",
    "{% macro f(a, b, c='z') %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.catch_varargs }}{{ f.caller }}",
    "{% macro f(*a) %}{% endmacro %}",
    "{% macro f(a,b,c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(*[1,2,3]) }}{{ f(*[1], **{'c':3,'b':2}) }}",
    "{% macro f() %}{{ f }}{% endmacro %}{{ f }}",
    "{% macro f() %}{% for i in [1,2] %}{{ i }}{% endfor %}{% endmacro %}{{ f() ~ f() }}",
    "{% macro outer() %}{% macro inner(x) %}<{{ x }}>{% endmacro %}{{ inner(1) }}{% endmacro %}{{ outer() }}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ [1,2]|map('string')|list }}{{ f(x=[1]) }}",
    "{% macro f(a=none) %}{{ a is none }}{% endmacro %}{{ f() }}",
    "{% macro f(a=[1,2], b={'x':1}) %}{{ a }}{{ b }}{% endmacro %}{{ f() }}",
    "{% macro f(caller=5) %}{{ caller }}{% endmacro %}{{ f() }}",
    "{% macro f(caller) %}{{ caller }}{% endmacro %}{{ f() }}",
    "{% set m = 'x' %}{% macro f() %}{{ m }}{% set m = 'y' %}{{ m }}{% endmacro %}{{ f() }}{{ m }}",
    "{%- macro f(a) -%}\n  {{ a }}\n{%- endmacro -%}\n{{ f(1) }}\n{{ f(2) }}",
    "{% macro f(x) %}{{ x.y }}{% endmacro %}{{ f({'y': 5}) }}",
    "{% macro f() %}{{ kwargs.a }}{% endmacro %}{{ f(a=1) }}",
    "{% macro f() %}{% set kwargs = 1 %}{{ kwargs }}{% endmacro %}{{ f(a=1) }}",
    "{% macro w(n) %}<{{ n }}>{{ caller() }}</{{ n }}>{% endmacro %}{% call w('a') %}{% call w('b') %}t{% endcall %}{% endcall %}",
    "{% macro f(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ f() }}",
    "{% macro f(a) %}{{ a.b }}{% endmacro %}{{ f() }}",
]:
    s(t)

# Loops with joiner, cycler, dict
for t in [
    "{% set j = joiner('|') %}{% for x in [1,2,3] %}{{ j() }}{{ x }}{% endfor %}",
    "{% set j = joiner() %}{{ j() }}a{{ j() }}b",
    "{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}",
    "{{ dict(a=1, b=2) }}", "{{ dict([('a', 1)], b=2) }}", "{{ dict({'a':1}) }}", "{{ dict() }}",
    "{{ strftime_now('%Y-%m-%d %H:%M:%S %j %a %A %b %B %d %y %I %p %%') }}", "{{ strftime_now('%d %b %Y') }}",
    "{{ strftime_now('%e|%-d|%f|%Z|%z|') }}", "{{ strftime_now('') }}", "{{ strftime_now('x%') }}",
]:
    s(t)

# Filters
F = [
    "'abc'|upper", "'ABC'|lower", "'hello wOrld'|capitalize", "'hello wOrld-foo (bar)'|title",
    "\"it's\"|title", "'  x '|trim", "'xxaxx'|trim('x')", "'a-b-c'|replace('-','+')",
    "'aaa'|replace('a','b',2)", "'abc'|replace('','-')", "1|replace(1,2)", "[1,2,3]|first", "[]|first",
    "[1,2,3]|last", "[]|last", "'abc'|first", "'abc'|last", "{'a':1,'b':2}|first", "{'a':1,'b':2}|last",
    "[1,2]|length", "'héé'|length", "{'a':1}|count", "[3,1,2]|sort", "[3,1,2]|sort(reverse=true)",
    "['b','A','a','B']|sort", "['b','A','a','B']|sort(case_sensitive=true)",
    "[{'a':2},{'a':1}]|sort(attribute='a')", "[{'a':{'b':2}},{'a':{'b':1}}]|sort(attribute='a.b')",
    "[{'a':1,'b':2},{'a':1,'b':1},{'a':0,'b':5}]|sort(attribute='a,b')", "[[2,'x'],[1,'y']]|sort(attribute=0)",
    "(3,1)|sort", "'cba'|sort", "{'b':1,'a':2}|sort", "[1,2,1,3,2]|unique|list", "['a','A','b']|unique|list",
    "['a','A','b']|unique(true)|list", "[{'k':1,'v':1},{'k':1,'v':2}]|unique(attribute='k')|list",
    "[1,2,3]|join", "[1,2,3]|join(', ')", "[{'a':1},{'a':2}]|join('-', attribute='a')",
    "['a',none,1.5]|join('|')", "'abc'|join('.')", "{'a':1,'b':2}|join(',')", "[]|join(',')",
    "[1,2,3]|reverse|list", "'abc'|reverse", "{'a':1,'b':2}|reverse|list", "[1,2,3]|sum", "[1.5,2]|sum",
    "[{'a':1},{'a':2}]|sum(attribute='a')", "[1,2]|sum(start=10)", "[[1],[2]]|sum(start=[])", "[]|sum",
    "[3,1,2]|min", "[3,1,2]|max", "['b','A']|min", "['b','A']|max(case_sensitive=true)", "[]|min",
    "[{'a':3},{'a':1}]|min(attribute='a')", "[1,2,3,4,5]|batch(2)|list", "[1,2,3,4,5]|batch(2,'x')|list",
    "[1,2,3,4,5]|slice(2)|list", "[1,2,3,4,5]|slice(3)|list", "[1,2,3,4,5]|slice(3,'x')|list",
    "[1]|slice(3)|list", "5|abs", "-5.5|abs", "true|abs", "2.5|round", "3.5|round", "2.567|round(2)",
    "2.567|round(1,'floor')", "2.511|round(1,'ceil')", "-2.5|round", "1234|round(-2)", "1250|round(-2)",
    "1350|round(-2)", "1234.5|round(-2)", "42.55|round(1)", "5|round", "5|round(0,'ceil')", "0.5|round",
    "1.005|round(2)", "1e20|round", "'42'|int", "'42.9'|int", "'x'|int", "'x'|int(-1)", "'0x1f'|int(0,16)",
    "'1f'|int(base=16)", "'0b11'|int(0,2)", "'101'|int(0,2)", "' 7 '|int", "'1_000'|int", "none|int",
    "3.9|int", "-3.9|int", "true|int", "[]|int(5)", "'1e3'|int", "'inf'|int", "'1.5'|float", "'x'|float",
    "'x'|float(2.5)", "none|float", "'  1e3 '|float", "'inf'|float", "'-inf'|float", "'nan'|float",
    "'1_0.5'|float", "3|float", "1|string", "none|string", "[1]|string", "'a'|string", "'abc'|list",
    "(1,2)|list", "{'a':1}|list", "range(3)|list", "none|default('d')", "none|default('d', true)",
    "''|default('d')", "''|default('d', true)", "x|default", "x|d(1)", "0|default(5, boolean=true)",
    "false|d('f', true)", "'<a href=\"x\">&\\'</a>'|escape", "'<a>'|e", "'<a>'|e|e", "'<a>'|safe",
    "'<a>'|safe|e", "'<a>'|forceescape", "'<b>x</b>'|striptags", "'a <!-- c --> b  <i>d</i>\\n e'|striptags",
    "'&lt;x&gt; &amp; &#65; &quot;'|striptags", "'x < y'|striptags", "'hello world'|wordcount",
    "'a-b c_d é1  '|wordcount", "'foo bar baz qux'|truncate(9)", "'foo bar baz qux'|truncate(9,true)",
    "'foo bar baz qux'|truncate(11)", "'foo bar baz qux'|truncate(11,false,'...',0)",
    "'foo bar baz qux'|truncate(5,true,'',0)", "'short'|truncate", "'hello'|center(11)", "'hi'|center(5)",
    "'abc'|center(6)~'|'", "'a\\nb\\n\\nc'|indent", "'a\\nb'|indent(2,true)",
    "'a\\n\\nb'|indent(2,blank=true)", "'a\\nb'|indent('> ')", "'a\\nb\\n'|indent(2)", "''|indent",
    "'a b/c?d=é&e'|urlencode", "{'a b':1,'c':'d/e'}|urlencode", "[('a',1),('b','x y')]|urlencode",
    "1|urlencode", "'%s is %d'|format('a', 3)", "'%(a)s %(b)05.2f'|format(a='x', b=3.14159)",
    "{'b':1,'a':2}|dictsort", "{'b':1,'A':2,'c':0}|dictsort", "{'b':1,'A':2,'c':0}|dictsort(true)",
    "{'b':1,'A':2,'c':0}|dictsort(false,'value')", "{'b':1,'A':2}|dictsort(reverse=true)",
    "{'a':1}|items|list", "x|items|list", "{'a':1,'b':none}|xmlattr", "{'a':'<'}|xmlattr(false)",
    "[{'n':'b'},{'n':'a'},{'n':'B'}]|groupby('n')",
    "[{'n':'b','v':1},{'n':'a','v':2},{'n':'b','v':3}]|groupby('n')|map('last')|list",
    "[{'n':1},{}]|groupby('n',default=0)", "[{'n':'b'},{'n':'B'}]|groupby('n',case_sensitive=true)",
    "100|filesizeformat", "1|filesizeformat", "13000|filesizeformat", "4100000|filesizeformat",
    "1024|filesizeformat(true)", "'1536'|filesizeformat(binary=true)", "1e15|filesizeformat",
    "1e30|filesizeformat", "['a','b']|map('upper')|list", "[{'a':1},{'b':2}]|map(attribute='a')|list",
    "[{'a':1},{'b':2}]|map(attribute='a',default='z')|list", "[{'a':[5]},{'a':[6]}]|map(attribute='a.0')|list",
    "[[1,2],[3,4]]|map('first')|list", "[1,2]|map('string')|join('-')",
    "['a b','c']|map('replace','a','x')|list", "[1,2,3,4]|select('odd')|list", "[1,2,3,4]|reject('odd')|list",
    "[0,1,'',none,'a']|select|list", "[0,1,'',none]|reject|list", "[1,2,3]|select('gt',1)|list",
    "[1,2,3]|select('in',[1,3])|list", "[{'a':1},{'a':0},{}]|selectattr('a')|list",
    "[{'a':1},{'a':2}]|selectattr('a','equalto',2)|list", "[{'a':1},{'a':2}]|rejectattr('a','==',2)|list",
    "[{'a':1},{}]|selectattr('a','defined')|list", "[{'a':1},{}]|selectattr('a','undefined')|list",
    "[{'r':'u','c':{'t':'x'}}]|selectattr('c.t','eq','x')|list", "[1,2]|map('foo')", "none|map('upper')|list",
    "none|select|list", "[1,2,3]|select('divisibleby',3)|first", "['x']|first|upper", "{'a':1}|attr('a')",
    "{'a':1}|attr('items')|string|length > 0", "'abc'|attr('upper')|string|length > 0", "[1,2]|pprint",
    "{'b':1,'a':[1,2,{'z':1,'y':2}]}|pprint", "('x'*90)|pprint", "[1,2,3]|tojson",
    "{'a':1,'b':[true,none,1.5,'x']}|tojson", "'é\\n\"<>&\\''|tojson", "'é😀'|tojson(ensure_ascii=true)",
    "{'b':1,'a':2}|tojson(sort_keys=true)", "{'a':[1,{'b':2}],'c':{},'d':[]}|tojson(indent=2)",
    "{'a':[1]}|tojson(indent=0)", "[1,2]|tojson(separators=(',',':'))",
    "{'a':1}|tojson(separators=(', ',' = '))", "{'a':[1]}|tojson(indent='\\t')",
    "{'a':1}|tojson(indent=2, separators=(',',':'))", "{1:2,none:3,true:4,1.5:5}|tojson", "1e16|tojson",
    "1.0|tojson", "(1,2)|tojson", "'a\\x7f\\x01\\u2028'|tojson", "'inf'|float|tojson", "'a'|tojson|tojson",
    "none|tojson", "''|tojson", "'<a>'|safe|tojson", "18446744073709551615|tojson",
    "'the quick brown fox jumps'|wordwrap(10)", "'the quick brown fox'|wordwrap(10,wrapstring='|')",
    "'abcdefghijklmnop'|wordwrap(5)", "'abcdefghijklmnop x'|wordwrap(5,false)",
    "'well-known self-made-man-thing'|wordwrap(8)",
    "'well-known self-made'|wordwrap(6,break_on_hyphens=false)", "'a\\nb c d e f g\\n\\nh'|wordwrap(4)",
    "'foo--bar baz'|wordwrap(5)", "'one  two   three'|wordwrap(7)", "'--- -a- a-- x--y'|wordwrap(3)",
    "'Hello, world! It\\'s e.g. re-use 3-4 a-b co-op-x'|wordwrap(6)", "[1,2,3]|random|string|length",
    "'x'|count", "'a'|map('upper')|list", "{'a':1}|map('upper')|list", "['1','2']|map('int')|sum",
    "[3,2,1]|sort|join", "[1,2,3]|select('gt',1)|map('string')|join(',')",
    "'a,b;c'|replace(',',';')|replace(';','')", "'Straße'|upper", "'ΑΣ ΣΑΣ.'|lower", "'ŉ ß ǆ'|upper",
    "'ß'|capitalize", "'ǆabc'|title", "'İ'|lower", "'<x>'|safe ~ '<y>'", "('<x>'|safe) + '<y>'",
    "'<y>' + ('<x>'|safe)", "('<x>%s'|safe) % '<y>'", "('a'|safe).join(['<','>'])", "(('<'|safe) * 2) + '>'",
    "('<b>'|safe)|upper", "('<b>'|safe)|length", "('<b>'|safe)[0] + '<'", "('<b>'|safe).replace('b','<')",
    "('{}'|safe).format('<')", "['<'|safe]", "('<'|safe) == '<'", "('a'|safe)|replace('a','<') + '<'",
    "('<'|safe)|string + '<'", "'abc'|safe|indent ~ '<'", "['a','b']|join('<'|safe)",
]
for e in F: s("{{ "+e+" }}")

# Tests
for v in [
    "1", "0", "1.5", "'a'", "''", "none", "true", "false", "[1]", "(1,)", "{'a':1}", "x", "range(3)",
    "{'a':1}.items()", "[1]|map('upper')", "namespace()", "'A'", "2",
]:
    s("{{ [" + ", ".join(f"({v}) is {t}" for t in ["defined","undefined","none","boolean","true","false","integer","float","number","string","mapping","iterable","sequence","callable","lower","upper","escaped"])+"] }}")
for e in [
    "1 is odd", "2 is odd", "2 is even", "6 is divisibleby(3)", "1 is eq 1", "1 is equalto(2)", "1 is ne 2",
    "1 is lt 2", "1 is le 1", "2 is gt 1", "2 is ge 3", "1 is lessthan 2", "2 is greaterthan 1",
    "1 is in [1,2]", "1 is not in [1]", "'upper' is filter", "'nope' is filter", "'odd' is test",
    "'nope' is test", "none is sameas none", "1 is sameas 1", "[] is sameas []", "true is sameas 1",
    "'a' is string is false or 1", "1 is not none", "x is not defined", "x is defined or 1 is odd",
    "not x is defined", "(1 is odd) == true", "1 is odd and 2 is even", "'a' is in 'abc'", "range is callable",
    "'a'.upper is callable", "[1,2] is eq [1,2]", "1 is == 1", "1.0 is integer", "true is number",
    "1 is boolean",
]:
    s("{{ "+e+" }}")

# String methods
M = [
    "' a '.strip()", "' a '.lstrip()", "' a '.rstrip()", "'xay'.strip('xy')", "'abcab'.lstrip('ab')",
    "'a,b,c'.split(',')", "'a,b,c'.split(',',1)", "'a b  c '.split()", "' a b  c '.split(none,1)",
    "'a,b,c'.rsplit(',',1)", "' a b c '.rsplit(none,1)", "'a b c'.rsplit()", "''.split()", "''.split(',')",
    "'a--b'.split('--')", "'a\\nb\\r\\nc'.splitlines()", "'a\\nb\\n'.splitlines(true)",
    "'abc'.startswith('ab')", "'abc'.startswith(('x','a'))", "'abc'.startswith('b',1)", "'abc'.endswith('bc')",
    "'abc'.endswith(('x','c'))", "'abc'.endswith('b',0,2)", "'aXbX'.replace('X','-')",
    "'aXbX'.replace('X','-',1)", "'abcabc'.find('c')", "'abcabc'.find('c',3)", "'abcabc'.find('z')",
    "'abcabc'.rfind('b')", "'héllo'.find('l')", "'abc'.index('b')", "'abab'.count('ab')", "'aaa'.count('aa')",
    "'abc'.count('')", "'Abc'.upper()", "'ABC'.lower()", "'hello world'.title()", "\"they're bill's\".title()",
    "'hELLO'.capitalize()", "'aBc'.swapcase()", "'Straße'.casefold()", "'-'.join(['a','b'])", "''.join('abc')",
    "','.join({'a':1})", "'{} {}'.format(1,'a')", "'{0}{1}{0}'.format('a','b')", "'{a}-{b}'.format(a=1,b=2)",
    "'{:>5}|{:<5}|{:^5}'.format('a','b','c')", "'{:05d}'.format(42)", "'{:.2f}'.format(3.14159)",
    "'{:,}'.format(1234567)", "'{:_}'.format(1234567)", "'{:x} {:X} {:o} {:b} {:#x}'.format(255,255,8,5,255)",
    "'{:e}'.format(12345.678)", "'{:g} {:g}'.format(0.00001,1e10)", "'{:%}'.format(0.25)",
    "'{:+d} {: d}'.format(5,5)", "'{:*^9}'.format('mid')", "'{!r} {!s}'.format('a','b')",
    "'{{}} {}'.format(1)", "'{0[a]} {0[b]}'.format({'a':1,'b':2})", "'{0.a}'.format({'a':1})",
    "'{[0]}'.format([7])", "'{:{}}|'.format('a',5)", "'{:{w}.{p}f}'.format(3.14159,w=8,p=2)",
    "'{:.3}'.format('abcdef')", "'{:08,.2f}'.format(1234.5)", "'{:c}'.format(65)", "'{:5}|'.format(true)",
    "'{}'.format(none)", "'{:>10,}'.format(12345)", "'{:.0f} {:.1f}'.format(2.5,0.25)", "'{:08d}'.format(-42)",
    "'{:=+8d}'.format(42)", "'{:.3g}'.format(1234.5)", "'{:}'.format(1.5)", "'{:.2}'.format(1.0)",
    "'{:10}|'.format(1.5)", "'{:n}'.format(10)", "'{x}'.format_map({'x':1})", "'123'.isdigit()",
    "'12a'.isdigit()", "'abc'.isalpha()", "'ab1'.isalnum()", "' '.isspace()", "''.isspace()", "'AB'.isupper()",
    "'aB'.islower()", "'A1'.isupper()", "'Ab Cd'.istitle()", "'a1_'.isidentifier()", "'²'.isdigit()",
    "'²'.isdecimal()", "'½'.isnumeric()", "'é'.isalpha()", "'abc'.isascii()", "'a\\n'.isprintable()",
    "'prefix-x'.removeprefix('prefix-')", "'x.txt'.removesuffix('.txt')", "'42'.zfill(5)", "'-42'.zfill(5)",
    "'a'.ljust(3)~'|'", "'a'.rjust(3,'*')", "'a'.center(4)~'|'", "'ab'.center(5,'*')", "'ab'.center(7,'*')",
    "'a=b=c'.partition('=')", "'a=b=c'.rpartition('=')", "'abc'.partition('x')", "'abc'.rpartition('x')",
    "'a\\tb'.expandtabs(4)", "'日本'.center(6,'*')", "'%s' % 'a'", "'%s %s' % (1,2)", "'%d' % 3.9",
    "'%5d|%-5d|%05d' % (1,2,3)", "'%+d % d' % (1,2)", "'%.2f' % 1.005", "'%x %X %o %#x' % (255,255,8,255)",
    "'%e' % 1234.5", "'%g' % 1e-5", "'%r %s' % ('a','a')", "'%c%c' % (65,'b')", "'%%' % ()",
    "'%(a)s' % {'a':1}", "'%5.1f|' % 2.25", "'%*d' % (5,1)", "'%.3s' % 'abcdef'", "'%s' % [1,2]",
    "'%s' % none", "'%s' % {'a':1}", "'a' % []", "'%i' % true", "'%-10s|' % 'é'", "{'a':1}.get('a')",
    "{'a':1}.get('b')", "{'a':1}.get('b',5)", "{'a':1}.get('b',default=5)", "{'a':1,'b':2}.keys()",
    "{'a':1,'b':2}.values()", "{'a':1,'b':2}.items()", "{'a':1}.keys()|list", "{'a':1}.items()|list",
    "{'a':1}.copy()", "{'a':1}.items()|length", "'a' in {'a':1}.keys()", "('a',1) in {'a':1}.items()",
    "[1,2,1].count(1)", "[1,2,3].index(3)", "(1,2).index(2)", "[1].copy()", "(5).bit_length()",
    "(1.0).is_integer()", "1.5.is_integer()", "'abc'.upper", "[].append", "'x'.encode", "'a'.foo is defined",
    "{'a':{'get':1}}.a.get", "{'keys':1}.keys()|list", "'\\u00a0a\\u2003'.strip()", "'a\\x1cb'.split()",
    "'ı'.upper()", "'ΌΣΟΣ'.title()", "'ﬁ'.upper()", "'ﬁ'.title()", "'ǆ'.title()", "'ΑΣ'.capitalize()",
    "'Ǆ'.swapcase()", "'a.b.c'.split('.')[-1]", "'abc'.split('')", "('a,b' ~ ',c').split(',')|last",
    "'abc'.startswith('')", "'x'.join([])", "'Hello'.upper().lower().title()",
    "' <think>a</think> b '.split('</think>')[-1].lstrip('\\n').strip()",
]
for e in M: s("{{ "+e+" }}")

# Realistic pieces
R=dict(messages=MSGS,tools=TOOLS,bos_token='<s>',eos_token='</s>',add_generation_prompt=True)
for t in [
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
    "{%- for m in messages %}\n    {%- if m.role == 'system' -%}\n        {{ m.content | trim }}\n    {%- elif loop.last and m.role == 'user' %}\n        {{- '[INST] ' ~ m.content ~ ' [/INST]' }}\n    {%- endif %}\n{%- endfor %}",
    "{{ tools | tojson(indent=4) }}",
    "{{ tools | map(attribute='function') | map(attribute='name') | join(', ') }}",
    "{% for t in tools %}{{ t.function.parameters.properties.keys() | list }}{{ t.function.parameters.required }}{% endfor %}",
    "{% for t in tools %}{% for k, v in t.function.parameters.properties.items() %}{{ k }}:{{ v.type }}{% if k in t.function.parameters.required %}!{% endif %} {% endfor %}{% endfor %}",
    "{% for m in messages %}{% for tc in m.tool_calls or [] %}{{ tc.function.arguments | tojson }}{{ tc.function.arguments.items() | list }}{% endfor %}{% endfor %}",
    "{{ messages | selectattr('role','equalto','user') | list | length }}",
    "{{ (messages | selectattr('role','equalto','user') | list | last).content }}",
    "{% set loop_messages = messages[1:] %}{% for m in loop_messages %}{{ m.role }}{% endfor %}",
    "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] %}{% else %}{% set sys = '' %}{% endif %}{{ sys }}",
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{{ index }}{{ m.role }} {% endfor %}",
    "{{ messages[-1].content }}{{ messages[99] is defined }}{{ messages[0].nope is defined }}{{ messages[0].tool_calls }}",
    "{{ 'tool_calls' in messages[2] }}{{ messages[2].tool_calls is defined and messages[2].tool_calls }}",
    "{{ messages[2].tool_calls[0].function.arguments.b | join(',') }}", "{{ messages | tojson }}",
    "{{ messages }}", "{{ tools }}",
    "{% if tools is not none and tools | length > 0 %}T{% endif %}{% if not documents %}D{% endif %}",
    "{{ messages|map(attribute='role')|unique|sort|join('/') }}",
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}x{% else %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}",
    "{{ tools[0].function.parameters.properties.city.enum | tojson }}{{ tools[0]['function']['parameters']['properties']['n']['default'] }}",
    "{% set d = dict(messages[0], content='new') %}{{ d }}",
    "{{ messages|groupby('role')|map(attribute='grouper')|list }}{% for role, ms in messages|groupby('role') %}{{ role }}{{ ms|length }}{% endfor %}",
    "{{ {'a': 1, **{}} }}", "{% set x = {'a':1} %}{% set x = dict(x, **{'b': 2}) %}{{ x }}",
    "{{ messages[0] | items | list }}",
    "{{ messages | length > 1 and messages[0].role in ['system', 'developer'] }}",
    "{{ messages[1:]|first|string }}", "{{ messages|batch(2)|map('length')|list }}",
    "{{ '%-10s|%s' % (messages[0].role, messages[0].content) }}",
]:
    s(t,**R)

# Json numbers and odd keys
s("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }} {{ g|tojson }}",a=1.0,b=1e100,c=12345678901234567890,d=-9223372036854775808,e=0.1,f=1e-7,g=[1.0,1e100,12345678901234567890,-0.0,0.00001])
s("{{ d['a b'] }}{{ d['1'] }}{{ d[''] }}{{ d['é'] }}{{ d.é }}",d={"a b":1,"1":2,"":3,"é":4})
s("{{ x.y.z|default('none') }}",x={"y":{}})
s("{{ x.class }}{{ x.if }}{{ x.not }}{{ x.is }}",x={"class":1,"if":2,"not":3,"is":4})
s("{{ x['__class__'] }}|{{ x.__foo__ }}|{{ x._a }}",x={"__foo__":1,"_a":2})


# What depends on addresses or chance, and the documented deviations (integers of more than 128 bits, complex
# numbers, laziness of map, `self`).
LEFT_OUT = [
    "[1]|map }}", "map('foo')", "random", "lipsum", "2**200", "9223372036854775807*", "(-8)**0.5", "10**39",
    "for x, in", "self is defined", "'{[0]}'.format", "default=5) }}", "'abc'.upper }}", "'x'.encode", ".a.get }}",
    "'abc'|attr('upper')", "attr('items')|string",
]


def literal(text):
    out = ""
    for byte in text.encode():
        c = chr(byte)
        if c in '"\\':
            out += "\\" + c
        elif c == "\n":
            out += "\\n"
        elif 0x20 <= byte < 0x7F and c != "?":
            out += c
        else:
            out += f"\\{byte:03o}"
    # Pieces short enough for the line limit.
    pieces, piece = [], ""
    i = 0
    while i < len(out):
        step = 4 if out[i] == "\\" and out[i + 1].isdigit() else 2 if out[i] == "\\" else 1
        if len(piece) + step > 88:
            pieces.append(piece)
            piece = ""
        piece += out[i : i + step]
        i += step
    pieces.append(piece)
    return "\n     ".join(f'"{p}"' for p in pieces)


def main():
    env = environment()
    variables, rows = {}, []
    for template, values in S:
        if any(part in template for part in LEFT_OUT):
            continue
        index = variables.setdefault(json.dumps(values, ensure_ascii=False), len(variables))
        try:
            expected = literal(env.from_string(template).render(**json.loads(json.dumps(values))))
        except Exception:
            expected = "nullptr"
        rows.append(f"    {{{literal(template)},\n     {index}, {expected}}},")
    print(f"""// Generated by tests/text/jinja_cases.py with jinja2 {jinja2.__version__}. Do not edit.
#include "tests/text/jinja_cases.h"

namespace rocforge::text::chat {{

// clang-format off
const char* const kJinjaVariables[] = {{
{chr(10).join(f"    ({literal(v)})," for v in variables)}
}};

const JinjaCase kJinjaCases[] = {{
{chr(10).join(rows)}
}};
// clang-format on
const size_t kJinjaCaseCount = sizeof(kJinjaCases) / sizeof(kJinjaCases[0]);

}}  // namespace rocforge::text::chat""")


if __name__ == "__main__":
    main()
