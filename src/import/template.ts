// Fills the places of a layout's templates. A text that is one place, "${width}", becomes the place's value; places
// within a text are written into it. Members that come to nothing are left out. Two keys are instructions whose
// contents become members of the object (or elements of the list) around them:
//
//   "$if CONDITION": { .. }          when the condition holds
//   "$each NAME in LIST": { .. }     for every element; LIST may be a number n, which stands for 0 .. n-1

import { ExpressionError, evaluateExpression, holds, type Scope, type Value } from "./expression.js";

/** JSON. */
export type Json = number | string | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const wholePlace = /^\$\{([^}]*)\}$/;
const place = /\$\{([^}]*)\}/g;

/** The template with its places filled; undefined when it comes to nothing. Throws ExpressionError. */
export function fill(template: Json, scope: Scope): Json | undefined {
  if (typeof template === "string") return fillText(template, scope);
  if (isList(template)) return template.flatMap((item) => fillItem(item, scope));
  if (typeof template === "object" && template !== null) return fillObject(template, scope);
  return template;
}

const isList = (template: Json): template is readonly Json[] => Array.isArray(template);

function fillText(text: string, scope: Scope): Json | undefined {
  const whole = wholePlace.exec(text);
  if (whole) return evaluateExpression(whole[1]!, scope) as Json | undefined;
  return text.replace(place, (_, expression: string) => String(evaluateExpression(expression, scope)));
}

function fillObject(template: { readonly [key: string]: Json }, scope: Scope): Json {
  const filled: Record<string, Json> = {};
  for (const [key, value] of Object.entries(template)) {
    if (key.startsWith("$if ") || key.startsWith("$each "))
      for (const inner of instructed(key, scope)) Object.assign(filled, fill(value, inner));
    else {
      const member = fill(value, scope);
      if (member !== undefined) filled[String(fillText(key, scope))] = member;
    }
  }
  return filled;
}

/** An element of a list; an object with one instruction as its only key stands for several or none. */
function fillItem(item: Json, scope: Scope): readonly Json[] {
  if (typeof item === "object" && item !== null && !isList(item)) {
    const [key, ...more] = Object.keys(item);
    if (key !== undefined && more.length === 0 && /^\$(if|each) /.test(key))
      return instructed(key, scope).flatMap((inner) => {
        const filled = fill(item[key]!, inner);
        return filled === undefined ? [] : isList(filled) ? filled : [filled];
      });
  }
  const filled = fill(item, scope);
  return filled === undefined ? [] : [filled];
}

/** The scopes in which the contents of an instruction are filled. */
function instructed(key: string, scope: Scope): readonly Scope[] {
  if (key.startsWith("$if ")) return holds(key.slice(4), scope) ? [scope] : [];
  const [, name, list] = /^\$each (\w+) in (.+)$/.exec(key) ?? [];
  if (name === undefined || list === undefined)
    throw new ExpressionError(`\`${key}\` is not of the form "$each NAME in LIST"`);
  return elements(evaluateExpression(list, scope)).map((element) => ({
    ...scope,
    names: new Map([...scope.names, [name, element]]),
  }));
}

function elements(value: Value): readonly Value[] {
  if (typeof value === "number") return Array.from({ length: value }, (_, i) => i);
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}
