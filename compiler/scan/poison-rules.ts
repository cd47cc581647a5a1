// What a poisoned definition looks like: one table of rules over the text of a pin. Patterns run on text of at most
// MAX_SCANNED_CHARS, have bounded repetitions and see text as a model reads it: NFKC, hidden characters taken out,
// look-alike letters replaced by Latin ones, runs of white space as one space, lower case.

/** `hidden` and `secret` are refused, by `aegis pin` and by the compiler, unless a reviewer accepted them; the others warn. */
export type PoisonSeverity = "hidden" | "secret" | "high" | "low";

export interface PoisonRule {
  readonly id: string;
  readonly severity: PoisonSeverity;
  /** What was found, to follow `the text …` in a message. */
  readonly finds: string;
  readonly pattern: RegExp;
  /** A hit that this matches too is none. */
  readonly except?: RegExp;
  /** `raw`: the text as it stands, where case or characters matter. Default: as a model reads it. */
  readonly on?: "raw";
}

/** Text beyond this is not searched; a text this long is a finding of its own. */
export const MAX_SCANNED_CHARS = 65_536;
/** Longest text that needs no explanation, in UTF-8 bytes. */
export const MAX_TEXT_BYTES = 65_536;

/** Characters without a mark of their own, on the raw text. The scanner decides which are harmless where they stand. */
export const HIDDEN_RULES: readonly PoisonRule[] = [
  {
    id: "unicode-tags",
    severity: "hidden",
    finds: "has Unicode tag characters, which spell out text that nobody sees",
    pattern: /[\u{e0000}-\u{e007f}]/u,
  },
  {
    id: "bidi-control",
    severity: "hidden",
    finds: "has characters that change the direction of text",
    pattern: /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u,
  },
  {
    id: "zero-width",
    severity: "hidden",
    finds: "has zero-width characters",
    pattern: /[\u00ad\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb]/u,
  },
  {
    id: "variation-selector",
    severity: "hidden",
    finds: "has variation selectors, which can carry hidden bytes",
    pattern: /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u,
  },
  {
    id: "control-character",
    severity: "hidden",
    finds: "has control characters, such as terminal escapes",
    pattern: /(?![\t\n\r])\p{Cc}/u,
  },
  {
    id: "blank-letter",
    severity: "hidden",
    finds: "has letters without a glyph",
    pattern: /\u034f|[\u115f\u1160\u2800\u3164\uffa0\u2028\u2029]|\u17b4|\u17b5/u,
  },
  {
    id: "private-use",
    severity: "hidden",
    finds: "has private-use characters, noncharacters or lone surrogates",
    pattern: /[\p{Co}\p{Cs}\ufdd0-\ufdef\ufffe\uffff]/u,
  },
];

const INSTRUCTIONS =
  "(?:instructions?|prompts?|rules?|guidelines?|directions|constraints|restrictions|policies|guardrails|safety)";
const SECRETS =
  "(?:api[ _-]?keys?|passwords?|access tokens?|auth(?:entication)? tokens?|credentials|secrets|session cookies?|cookies)";
const CONTEXT =
  "(?:system prompt|conversation (?:history|so far)|chat history|(?:whole|entire|full|complete) (?:conversation|chat)|previous messages|environment variables|private keys?|ssh keys?|seed phrases?|recovery phrases?)";

export const TEXT_RULES: readonly PoisonRule[] = [
  {
    id: "instruction-markup",
    severity: "high",
    finds: "has markup that addresses a model",
    pattern:
      /<\s*\/?\s*(?:important|system|assistant|secret|instructions?|hidden|admin|override|critical|urgent|directive|s)\b[^<>]{0,80}>|\[\/?inst\]|<<\s*sys\s*>>|<\|[a-z_]{2,24}\|>|\[(?:system|important|admin|hidden)\]|(?:^|\s)#{2,4} ?(?:system|instruction|assistant)s?\b|(?:^|\s)(?:system|assistant): /u,
    except: /<s>/u,
  },
  {
    id: "ignore-instructions",
    severity: "high",
    finds: "tells a model to ignore its instructions",
    pattern: new RegExp(
      `\\b(?:ignore|disregard|forget|override|bypass|overrule|do not follow|don't follow|stop following)\\b[^.!?]{0,40}\\b(?:previous|prior|above|earlier|preceding|all|any|other|existing|original|system|your|safety)\\b[^.!?]{0,40}\\b${INSTRUCTIONS}\\b`,
      "u",
    ),
  },
  {
    id: "ignore-instructions",
    severity: "high",
    finds: "tells a model to ignore its instructions",
    pattern:
      /ignorier\w{0,3} [^.]{0,30}(?:anweisungen|befehle|vorgaben)|ignor(?:ez|e|er) [^.]{0,30}(?:instructions|consignes) (?:precedentes|précédentes)|ignor(?:a|e|ar) [^.]{0,30}instrucciones|ignor(?:a|e) [^.]{0,30}(?:istruzioni|instruções)|(?:忽略|无视|無視)[^。]{0,12}(?:指令|指示|说明|規則|规则)|指示を(?:すべて)?無視|игнорируй[^.]{0,30}инструкции/iu,
    on: "raw",
  },
  {
    id: "conceal-from-user",
    severity: "high",
    finds: "tells a model to keep something from the user",
    pattern:
      /\b(?:do not|don't|dont|never|must not|should not|without|avoid|refrain from)\b[^.!?]{0,20}\b(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|alerting|disclose|disclosing|let|letting)\b[^.!?]{0,40}\b(?:users?|humans?|anyone|anybody|them|operator|owner)\b|\b(?:keep|hide|conceal)\b[^.!?]{0,30}\b(?:secret from|hidden from|from the user|from the human)\b|\b(?:silently|secretly|covertly|quietly)\b[^.!?]{0,30}\b(?:send|read|copy|call|forward|upload|include|add|append|execute|run|bcc)\b/u,
  },
  {
    id: "persona-change",
    severity: "high",
    finds: "gives a model another role",
    pattern:
      /\byou are now (?:a|an|the|in|in the|operating|running|free)\b|\bnew (?:system )?instructions?(?: for [a-z ]{1,20})?:|\b(?:developer|god|dan|jailbreak|unrestricted|admin) mode\b[^.]{0,20}\b(?:enabled|activated|on|active)\b|\b(?:enter|enable|activate) (?:developer|god|dan|jailbreak|unrestricted) mode\b|\bpretend (?:to be|that you are)\b|\bact as (?:root|admin|an administrator|the system)\b/u,
  },
  {
    id: "tool-takeover",
    severity: "high",
    finds: "claims the place of other tools",
    pattern:
      /\b(?:do not|don't|never|stop) (?:use|using|call|calling|invoke|invoking)\b[^.!?]{0,20}\b(?:any |all |the )?other (?:tools?|servers?|functions?)\b|\b(?:supersedes?|replaces?|takes? precedence over|overrides?)\b[^.!?]{0,20}\b(?:all|any|every|other)\b[^.!?]{0,12}\b(?:tools?|servers?|functions?|instructions?)\b|\bthis tool (?:must|has to) (?:always )?be (?:called|used|invoked|run)\b[^.!?]{0,30}\b(?:before|after|instead of|with) (?:any|every|all|each)\b/u,
  },
  {
    id: "act-before-use",
    severity: "high",
    finds: "asks a model to read or send something else before the tool is used",
    pattern:
      /\b(?:before|after|when|prior to|while) (?:using|calling|invoking|running|executing|you (?:use|call))\b[^.!?]{0,80}\b(?:read|open|cat|load|send|upload|post|forward|email|execute|append)\b[^!?]{0,60}(?:\bfile\b|\bcontents?\b|~\/|\.env\b|\bkeys?\b|\bhistory\b|\btokens?\b|https?:\/\/|\bmessages?\b)/u,
    except: /\b(?:read|open) (?:the|this) (?:documentation|docs|guide|readme)\b/u,
  },
  {
    id: "side-channel",
    severity: "high",
    finds: "asks for content to be passed along in an argument",
    pattern:
      /\b(?:pass|put|include|provide|supply|insert|place|add|copy)\b[^.!?]{0,30}\b(?:its|their|the|file'?s?|whole|full|entire|all)\b ?(?:raw |full |entire |file )?(?:contents?|content of|conversation|history|context|output of)\b[^.!?]{0,60}\b(?:as|in|into|to|via|using|within) (?:the |a |an |its )?(?:field |argument |parameter )?['"`]?(?:side_?note|notes?|context|metadata|feedback|reason|comment|debug|extra|this (?:parameter|argument|field))\b/u,
  },
  {
    id: "secret-files",
    severity: "high",
    finds: "names files that hold secrets",
    pattern:
      /~[/\\]\.(?:ssh|aws|gnupg|kube|docker|netrc|npmrc|pypirc|azure|config\/gcloud|cursor|claude|codeium|vscode|env|bash_history|zsh_history|git-credentials|password-store)\b|\.ssh[/\\](?:id_|authorized_keys|config|known_hosts)|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\/etc\/(?:passwd|shadow|sudoers)\b|\/proc\/self\/environ|\b\.?(?:cursor|claude|vscode)[/\\]mcp\.json|\b(?:read|open|cat|load|send|include|upload|copy|contents? of|exfiltrate)\b[^.!?]{0,50}(?:^|[\s'"`(/])\.env(?:\.[a-z]+)?(?![a-z])|\bwallet\.dat\b|\bauthorized_keys\b|\bkeychain\b[^.]{0,20}\b(?:dump|export|read)\b|\.aws[/\\]credentials|\.kube[/\\]config/u,
  },
  {
    id: "asks-for-secrets",
    severity: "high",
    finds: "asks for secrets or for the conversation",
    pattern: new RegExp(
      `\\b(?:send|include|pass|reveal|append|forward|leak|exfiltrate|attach|embed|paste|copy|collect|gather|harvest|extract|steal|dump|print|output|repeat|summari[sz]e)\\b[^.!?]{0,50}(?:\\b(?:all|any|every|your|my|the user'?s?|user'?s?|their|system|host|local|stored|saved|available)\\b[^.!?]{0,20}\\b${SECRETS}\\b|\\b(?:the |your |this |any |all )?${CONTEXT}\\b)`,
      "u",
    ),
    except:
      /\b(?:never|do not|don't|not|cannot|without)\b[^.!?]{0,20}\b(?:send|include|pass|reveal|forward|print|output|extract|collect)\b/u,
  },
  {
    id: "exfiltration",
    severity: "high",
    finds: "sends content to an address",
    pattern:
      /\b(?:send|post|upload|forward|transmit|exfiltrate|report|leak|copy|push|beacon|bcc|cc|submit|relay)\b[^!?]{0,60}\b(?:conversation|history|messages?|contents?|data|results?|files?|outputs?|responses?|tokens?|keys?|secrets?|everything|it|them|this|emails?|passwords?|copy|arguments?|inputs?)\b[^!?]{0,30}\b(?:to|at|via):? (?:https?:\/\/(?!(?:[a-z0-9.-]{1,80}\.)?example\.(?:com|org|net)\b|localhost\b)|[\w.+-]{1,64}@(?!(?:[a-z0-9-]{1,40}\.){0,4}example\.(?:com|org|net)\b)[a-z0-9-]{1,64}\.[a-z]{2,})|\bbcc\b[^.!?]{0,30}[\w.+-]{1,64}@[a-z0-9-]{1,64}\.[a-z]{2,}/u,
  },
  {
    id: "image-beacon",
    severity: "high",
    finds: "has an image whose address carries data away",
    pattern:
      /!\[[^\]]{0,200}\]\(\s*https?:\/\/[^)\s]{0,400}(?:[?&][\w-]{1,40}=(?:$|[^)\s]{0,80}(?:\{|<|%7b|\$|\[))|\{|\$)[^)]{0,200}\)?/u,
  },
  {
    id: "shell-download",
    severity: "high",
    finds: "has a shell command that runs what it downloads or decodes",
    pattern:
      /\b(?:curl|wget)\b[^|]{0,200}\|\s*(?:sudo )?(?:ba|z|da)?sh\b|\bbase64 (?:-d|--decode|-D)\b[^|]{0,60}\|\s*(?:ba|z)?sh\b|\bpowershell(?:\.exe)? -(?:e|enc|encodedcommand)\b|\/dev\/tcp\/|\b(?:nc|ncat) -e\b|\brm -rf (?:\/|~)/u,
  },
  {
    id: "url-credentials",
    severity: "high",
    finds: "has a URL with credentials",
    pattern: /\b(?:https?|wss?|ftp):\/\/[^\s/:@'"<>{}]{1,200}:[^\s/@'"<>{}]{1,200}@/u,
    except: /:\/\/(?:user(?:name)?|<[^>]*>|\[[^\]]*\]|x+|admin):(?:pass(?:word)?|<[^>]*>|x+|\*+|token)@/u,
  },
  {
    id: "url-metadata",
    severity: "high",
    finds: "has an address of a cloud's metadata service",
    pattern:
      /\b169\.254\.169\.254\b|\bmetadata\.google\.internal\b|\b100\.100\.100\.200\b|\bfd00:ec2::254\b/u,
  },
  {
    id: "url-script",
    severity: "high",
    finds: "has a URL that runs as a script",
    pattern: /\bjavascript:|\bvbscript:|\bdata:text\/(?:html|javascript)/u,
  },
  {
    id: "url-local-file",
    severity: "high",
    finds: "has a URL of a system file of the machine that reads it",
    pattern: /\bfile:\/\/\/(?:etc|root|proc)\b/u,
  },
  {
    id: "secret-literal",
    severity: "high",
    finds: "has what looks like a credential",
    on: "raw",
    pattern:
      /\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abprs]-[A-Za-z0-9-]{20,}|\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|\beyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/u,
  },
  {
    id: "encoded-blob",
    severity: "high",
    finds: "has a long run of encoded data",
    on: "raw",
    pattern:
      /(?=[A-Za-z0-9+/_-]{0,400}[a-z])(?=[A-Za-z0-9+/_-]{0,400}[A-Z])(?=[A-Za-z0-9+/_-]{0,400}[0-9])(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{120,}={0,2}|\b[0-9a-fA-F]{200}/u,
  },
  {
    id: "escaped-text",
    severity: "low",
    finds: "has text written as escapes",
    on: "raw",
    pattern:
      /(?:\\u\{?[0-9a-fA-F]{4,6}\}?){4,}|(?:\\x[0-9a-fA-F]{2}){6,}|(?:&#x?[0-9a-fA-F]{2,6};){4,}|(?:%[0-9a-fA-F]{2}){12,}/u,
  },
  {
    id: "hidden-markup",
    severity: "high",
    finds: "has markup that a viewer does not show",
    pattern:
      /<!--(?!\s*-->)[^>]{3,}|display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])|\[\/\/\]: ?#/u,
  },
  {
    id: "padding",
    severity: "low",
    finds: "has white space that pushes text out of sight",
    on: "raw",
    pattern: /(?:[ \t]{0,8}\r?\n){16}|[ \t\u00a0]{120}/u,
  },
  {
    id: "spelled-out",
    severity: "low",
    finds: "has words spelled out letter by letter",
    pattern: /(?<![a-z0-9])(?:[a-z][ ._*-]){9}[a-z](?![a-z0-9])/u,
  },
];

/** Letters of other scripts that look like Latin ones, for folding and for mixed-script words. */
export const LOOK_ALIKES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    // Cyrillic
    аеорсухіјѕһԁԛԝѵ: "aeopcyxijshdqwv",
    АВЕКМНОРСТХІЈЅҮԜ: "ABEKMHOPCTXIJSYW",
    // Greek
    ονρικαυχτηε: "ovpikauxtne",
    ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ: "ABEZHIKMNOPTYX",
    // Armenian, Cherokee, small capitals and other singles
    օսոհցԼՕՍ: "ounhgLOU",
    ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᎾᏢᏒᏚᎢᏙᎳᏃ: "ABCDEHJKLMNPRSTVWZ",
    ɡɑıȷ: "gaij",
  }).flatMap(([from, to]) =>
    [...from].map((letter, index): [string, string] => [letter, [...to][index] ?? letter]),
  ),
);
