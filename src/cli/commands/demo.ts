// dlmc demo DIR ..: the pages of WGSL bundles in a browser on this machine.

import type { Command } from "commander";
import { demo } from "../../api/demo.js";
import { type ExitCode, exitCodes } from "../../support/diagnostic.js";
import { integer } from "../flags.js";
import { print } from "../print.js";

export function addDemo(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command("demo <dir...>")
    .description("serve the pages of compiled wgsl bundles on 127.0.0.1 until Ctrl-C")
    .option("--port <n>", "port; 0 takes any that is free", integer(0, 65535), 0)
    .action(async (directories: readonly string[], { port }: { readonly port: number }) => {
      const { url, close } = await demo(directories, port);
      print(url);
      await new Promise<void>((resolve) => {
        process.once("SIGINT", resolve);
        process.once("SIGTERM", resolve);
      });
      await close();
      finish(exitCodes.ok);
    });
}
