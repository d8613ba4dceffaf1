import { describe, expect, it } from "vitest";
import { createTokenizer } from "../../src/runtime/tokenizer.js";

describe("a list of characters", () => {
  const digits = createTokenizer(["1", "2", "3", "4"]);

  it("reads given symbols and blanks, and pads with blanks", () => {
    const { tokens, mask } = digits.encode("4_.\n1", 6);
    expect(Array.from(mask)).toEqual([1, 0, 0, 1, 0, 0]);
    expect([tokens[0], tokens[3]]).toEqual([3, 0]);
  });

  it("writes them side by side", () => {
    expect(digits.decode(Int32Array.of(3, 0, 0, 1))).toBe("4112");
  });

  it("takes other blanks, and never one that is a symbol", () => {
    const sudoku = createTokenizer(["1", "2"], { blanks: ["0"] });
    expect(Array.from(sudoku.encode("102", 3).mask)).toEqual([1, 0, 1]);
    const dots = createTokenizer([".", "a"]);
    expect(Array.from(dots.encode(".a_", 3).mask)).toEqual([1, 1, 0]);
  });

  it("names every unknown symbol once, and texts that are too long", () => {
    expect(() => digits.encode("1x_yx", 5)).toThrow(/"x" is not.*\n.*"y" is not/);
    expect(() => digits.encode("11111", 4)).toThrow(/tokenizer\/too-long.*5 symbols.*4 positions/);
  });
});

describe("a map of words", () => {
  const words = createTokenizer(
    { START: 0, END: 1, UNK: 2, PAD: 3, the: 4, restaurant: 5 },
    { hidden: ["START", "END", "PAD"] },
  );

  it("reads and writes words", () => {
    const { tokens, mask } = words.encode("START the _  restaurant", 5);
    expect(Array.from(mask)).toEqual([1, 1, 0, 1, 0]);
    expect([tokens[0], tokens[1], tokens[3]]).toEqual([0, 4, 5]);
    expect(words.decode([0, 4, 5, 1, 3])).toBe("the restaurant");
  });

  it("suggests the nearest word", () => {
    let help: string | undefined;
    try {
      words.encode("the restarant", 5);
    } catch (error) {
      help = (error as { diagnostics: { help: string }[] }).diagnostics[0]!.help;
    }
    expect(help).toContain('the nearest are "restaurant"');
    expect(help).toContain('"_" or "." marks a position to generate');
  });
});

describe("files that are no vocabulary", () => {
  it.each([
    [7, /neither a list nor a map/],
    [["a", "a"], /"a" is listed twice/],
    [["a", 3], /3 is not a symbol/],
    [{ a: 0, b: 0 }, /same index 0/],
    [{ a: 0, b: 2 }, /index of "b" is 2; 2 symbols have 0 to 1/],
    [{ a: "0" }, /index of "a" is "0"/],
  ])("%j", (vocabulary, message) => {
    expect(() => createTokenizer(vocabulary)).toThrow(message);
  });
});
