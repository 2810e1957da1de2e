/**
 * Waiting for what a socket reports.
 *
 * @module
 */

import type { Socket } from "../../../mod.ts";
import type { SocketEvent, SocketEventType } from "../../../src/session/events.ts";
import { within } from "./deadline.ts";

/** The next event of one of these types, from now on. */
export function nextEvent<Type extends SocketEventType>(
  socket: Socket,
  ...types: readonly Type[]
): Promise<SocketEvent<Type>> {
  const event = new Promise<SocketEvent<Type>>((resolve) => {
    const heard = (event: SocketEvent<Type>): void => {
      for (const type of types) socket.events.off(type, heard);
      resolve(event);
    };
    for (const type of types) socket.events.on(type, heard);
  });
  return within(event, `the event ${types.join(" or ")} of our ${socket.type}`);
}

/** Every event of these types from now on, in a list that grows. */
export function collectEvents<Type extends SocketEventType>(
  socket: Socket,
  ...types: readonly Type[]
): SocketEvent<Type>[] {
  const events: SocketEvent<Type>[] = [];
  for (const type of types) socket.events.on(type, (event) => void events.push(event));
  return events;
}

/** The code of an error of hawser; `undefined` for others. */
export function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string } | undefined)?.code;
}
