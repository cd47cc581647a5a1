// Headless Chromium on the protocol of its developer tools, over a pipe: no port is opened and nothing is downloaded.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const CALL_TIMEOUT_MS = 60_000;

type Reply = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly resolve: (value: Reply) => void;
  readonly reject: (fault: Error) => void;
}

export interface PageOptions {
  readonly width: number;
  readonly height: number;
  readonly scheme?: "dark" | "light";
  readonly media?: "print" | "screen";
  readonly isScripted?: boolean;
}

/** A browser of its own, with an empty profile. Dispose it. */
export class Chromium implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(method: string, params: Reply, sessionId: string) => void>();
  #lastId = 0;

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), "aegis-chromium-"));
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      "--hide-scrollbars",
      "--force-color-profile=srgb",
      "--remote-debugging-pipe",
      `--user-data-dir=${this.#profile}`,
    ];
    this.#child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const stop = (why: string): void => {
      for (const { reject } of this.#waiting.values()) reject(new Error(why));
      this.#waiting.clear();
    };
    this.#child.on("error", (fault) => {
      stop(`${program} cannot be started (${fault.message}). Install with: apt-get install -y chromium`);
    });
    this.#child.on("exit", () => stop("the browser has ended"));
    this.#input.on("error", () => stop("the browser has ended"));
    let rest = "";
    this.#output.setEncoding("utf8").on("data", (chunk: string) => {
      const messages = (rest + chunk).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#receive(message);
    });
  }

  /** `AEGIS_CHROMIUM` names another program than `chromium`. */
  static start(): Chromium {
    return new Chromium(process.env["AEGIS_CHROMIUM"] ?? "chromium");
  }

  get #input(): Writable {
    return this.#child.stdio[3] as Writable;
  }

  get #output(): Readable {
    return this.#child.stdio[4] as Readable;
  }

  #receive(text: string): void {
    const message = JSON.parse(text) as {
      readonly id?: number;
      readonly result?: Reply;
      readonly error?: { readonly message: string };
      readonly method?: string;
      readonly params?: Reply;
      readonly sessionId?: string;
    };
    if (message.id === undefined) {
      for (const listen of this.#listeners)
        listen(message.method ?? "", message.params ?? {}, message.sessionId ?? "");
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error !== undefined) waiting?.reject(new Error(message.error.message));
    else waiting?.resolve(message.result ?? {});
  }

  async send(method: string, params: Reply = {}, sessionId?: string): Promise<Reply> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(() => reject(new Error(`${method} got no answer`)), CALL_TIMEOUT_MS);
    this.#input.write(
      `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  listen(listener: (method: string, params: Reply, sessionId: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Opens the address and waits until it is loaded. */
  async open(url: string, options: PageOptions): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(targetId));
    await page.load(url, options);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      await this.send("Browser.close").catch(() => this.#child.kill("SIGKILL"));
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** One tab. */
export class Page {
  readonly #browser: Chromium;
  readonly #sessionId: string;
  readonly #targetId: string;
  /** Addresses the page asked for, its own among them. */
  readonly requests: string[] = [];
  /** Errors, warnings and refusals of the console. */
  readonly complaints: string[] = [];

  constructor(browser: Chromium, sessionId: string, targetId: string) {
    this.#browser = browser;
    this.#sessionId = sessionId;
    this.#targetId = targetId;
  }

  async load(url: string, options: PageOptions): Promise<void> {
    const loaded = Promise.withResolvers<undefined>();
    this.#browser.listen((method, params, sessionId) => {
      if (sessionId !== this.#sessionId) return;
      if (method === "Page.loadEventFired") loaded.resolve(undefined);
      if (method === "Network.requestWillBeSent") this.requests.push(requestUrl(params));
      if (method === "Log.entryAdded") this.complaints.push(JSON.stringify(params["entry"]));
      if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params));
    });
    for (const domain of ["Page", "Network", "Log", "Runtime"]) await this.send(`${domain}.enable`);
    await this.resize(options.width, options.height);
    await this.send("Emulation.setEmulatedMedia", {
      media: options.media ?? "screen",
      features: [
        { name: "prefers-color-scheme", value: options.scheme ?? "light" },
        { name: "prefers-reduced-motion", value: "reduce" },
      ],
    });
    if (options.isScripted === false)
      await this.send("Emulation.setScriptExecutionDisabled", { value: true });
    await this.send("Page.navigate", { url });
    await loaded.promise;
  }

  /** Size of the window in CSS pixels. */
  async resize(width: number, height: number): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
  }

  async send(method: string, params: Reply = {}): Promise<Reply> {
    return this.#browser.send(method, params, this.#sessionId);
  }

  /** The value of an expression, awaited. @throws {Error} where it throws */
  async value<T>(expression: string): Promise<T> {
    const reply = await this.send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (reply["exceptionDetails"] !== undefined) throw new Error(JSON.stringify(reply["exceptionDetails"]));
    return (reply["result"] as { readonly value: T }).value;
  }

  /** Presses and releases a key, by its name in the DOM. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === "Enter" ? { text: "\r" } : {};
    const codes: Readonly<Record<string, number>> = {
      Tab: 9,
      Enter: 13,
      Escape: 27,
      End: 35,
      Home: 36,
      ArrowLeft: 37,
      ArrowUp: 38,
      ArrowRight: 39,
      ArrowDown: 40,
    };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key] ?? key.toUpperCase().charCodeAt(0) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...text });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Two frames drawn. */
  async settle(): Promise<void> {
    await this.value(
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
    );
  }

  /** A PNG of what the window shows, or of the whole page. */
  async picture(isWhole = false): Promise<Buffer> {
    const reply = await this.send("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: isWhole,
    });
    return Buffer.from(String(reply["data"]), "base64");
  }

  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.#targetId });
  }
}

function requestUrl(params: Reply): string {
  return (params["request"] as { readonly url: string }).url;
}
