/** @file The user's token, for gated and private repositories, where `huggingface_hub` finds it. */
import { UserError } from "../errors/user_error.ts";
import { tokenFile, type Variable } from "../files/hub_place.ts";
import { isMissing, readText, reasonOf } from "../files/write_file.ts";
import type { HubToken } from "./look_up.ts";

/**
 * The token: HF_TOKEN, or what lies in the file that HF_TOKEN_PATH names, or where `hf auth login` wrote it, in HF_HOME or
 * below the user's home. White space around it counts for nothing. Null where there is none.
 *
 * @throws {UserError} where the file can't be read, and for what is no token; the sentence does not repeat it
 */
export async function findToken(variable: Variable): Promise<HubToken | null> {
  const own = (variable("HF_TOKEN") ?? "").trim();
  if (own !== "") return sound({ text: own, place: "HF_TOKEN" });
  const place = tokenFile(variable);
  if (place === null) return null;
  let text: string;
  try {
    text = (await readText(place)).trim();
  } catch (error) {
    if (isMissing(error)) return null;
    throw new UserError(`Cannot read the Hub's token in ${place}: ${reasonOf(error)}`);
  }
  return text === "" ? null : sound({ text, place });
}

function sound(token: HubToken): HubToken {
  if (/^hf_\w{1,200}$/.test(token.text)) return token;
  throw new UserError(
    `Cannot use the token in ${token.place}: letters and digits behind "hf_" are needed, as the Hub's page of tokens shows it`,
  );
}
